//! Pulling: an image of a registry, a layout or an archive becomes a file that nodes mount.

mod choice;
mod configuration;
mod credentials;
mod earlier;
mod error;
mod image_file;
mod local;
mod make;
mod manifest;
mod meter;
mod origin;
mod pulled;
mod puller;
mod reference;
mod registry;
mod request;
mod scratch;
mod settings;
mod source;
mod unpacking;
mod update;
mod vouch;

pub use credentials::{Credentials, Secret};
pub use error::PullError;
pub use pulled::{Found, ImageConfig, LayerCount, LeftOut, Pulled};
pub use puller::Puller;
pub use reference::{BadReference, Reference, Version};
pub use request::{Format, Platform, Progress, PullRequest, Step, Unwatched};
pub use settings::{Proxies, Registry, Settings};
pub use source::Source;
