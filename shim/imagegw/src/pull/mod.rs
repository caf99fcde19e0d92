//! Pulling: an image of a registry, a layout or an archive becomes a file that nodes mount.

mod error;
mod reference;
mod request;

pub use error::PullError;
pub use reference::{BadReference, Reference, Version};
pub use request::{
    Credentials, Format, Found, ImageConfig, LeftOut, Platform, Progress, PullRequest, Pulled,
    Secret, Source, Step, Unwatched,
};
