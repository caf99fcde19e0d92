//! A bundle on disk: `config.json` and the root file system's skeleton, whole or not at all.

mod host_path;
mod lines;
mod maker;
mod read_back;
mod skeleton;
mod write;

pub(crate) use host_path::Follower;
pub use host_path::{HostPath, HostPathError, names};
pub(crate) use skeleton::Entry;
pub use skeleton::Skeleton;
pub use write::{BundleError, links_of, write, write_without_root};
