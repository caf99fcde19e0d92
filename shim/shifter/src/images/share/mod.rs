//! One mount of an image for all containers of this node.
//!
//! For each image in use there is a process, its keeper, in whose mount namespace it is mounted, and nothing else.
//! Who wants the image connects to it and is sent a mount of the same file system, to be put where it is needed; who
//! stays connected holds the image. The kernel ends connections of whoever ends, however that comes about, and with
//! the last one the keeper ends too: with it goes its namespace, and with the last mount the file system and its loop
//! device. So there is nothing to be swept up after a kill -9. One of the keeper itself costs the next container a
//! mount, and the running ones nothing: they have mounts of their own.

mod hold;
mod keeper;
mod message;
mod state;

pub use hold::{Held, Node, Use};
