//! Images on this node: what a file holds, before a kernel or a program of the user's reads it as a file system.

mod superblock;

pub use superblock::{FileSystem, Kind, NotAnImage};
