//! Image files: which file system one holds, what its digest is, and how one is made of a tree or of another.
//!
//! What a node does with images and what the gateway does: neither mounts anything here.

mod behind;
pub mod convert;
mod digest;
pub mod erofs;
mod meta;
mod patient;
mod sandbox;
mod superblock;
mod sys;

pub use behind::write_behind;
pub use digest::{content_digest, enable_verity, measured_digest, processors, verity_digest};
pub use meta::MetaText;
pub use patient::run_while_wanted;
pub use sandbox::SandboxError;
pub use superblock::{FileSystem, Kind, NotAnImage};
pub use sys::{spawn_mortal, spawn_server};
