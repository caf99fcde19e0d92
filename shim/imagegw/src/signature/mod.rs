//! Who vouches for an image: a policy by repository, and cosign's signatures.
//!
//! The policy is a part of containers-policy.json(5), the file that podman and skopeo read, so that a site has one. What of
//! it isn't known here is refused, not passed over.

mod identity;
mod key;
mod payload;
mod policy;

pub use key::{BadKey, Key};
pub use policy::{Identity, Policy, PolicyError, Requirement, Scope};

pub(crate) use payload::{Candidate, verify};
