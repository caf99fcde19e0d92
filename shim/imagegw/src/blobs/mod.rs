//! Content by its digest: what a registry calls blobs, kept for the next pull.

mod digest;

pub use digest::{Algorithm, Digest, Hasher, NotADigest};
