//! Pulling: an image of a registry, a layout or an archive becomes a file that nodes mount.

mod error;
mod image_file;
mod local;
mod make;
mod manifest;
mod meter;
mod origin;
mod puller;
mod reference;
mod registry;
mod request;
mod scratch;
mod settings;
mod vouch;

pub use error::PullError;
pub use puller::Puller;
pub use reference::{BadReference, Reference, Version};
pub use request::{
    Credentials, Format, Found, ImageConfig, LeftOut, Platform, Progress, PullRequest, Pulled,
    Secret, Source, Step, Unwatched,
};
pub use settings::{Proxies, Registry, Settings};
