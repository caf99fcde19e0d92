//! Images: what a user calls one, and what the site's store has of it.

mod access;
mod descriptor;
mod digests;
mod local;
mod meta;
mod store;
#[cfg(test)]
mod tests;
mod words;

pub use access::{Access, Caller};
pub use descriptor::{Descriptor, DescriptorError, ImageType};
pub use digests::Digests;
pub use local::LocalError;
pub use meta::{Format, Meta, MetaError, MetaProblem};
pub use store::{Identifier, Image, Store, StoreError};
