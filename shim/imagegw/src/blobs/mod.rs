//! Content by its digest: what a registry calls blobs, kept for the next pull.

mod digest;
mod store;

pub use digest::{Algorithm, Digest, Hasher, NotADigest};
pub(crate) use store::Fetch;
pub use store::{Blobs, Swept};
