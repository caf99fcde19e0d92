//! Content by its digest: what a registry calls blobs, kept for the next pull.

mod aside;
mod coming;
mod digest;
mod receive;
mod store;

pub(crate) use aside::{Aside, Pieces};
pub(crate) use coming::Blob;
pub use digest::{Algorithm, Digest, Hasher, NotADigest};
pub(crate) use store::Fetch;
pub use store::{Blobs, Swept};
