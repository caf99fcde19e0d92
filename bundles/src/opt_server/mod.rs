//! The Opt-Server: its `config.json`, and one command line made into one bundle.
//!
//! A [`Request`] names the command, the user's arguments, the project directory and an [`Identity`].
//! [`Sandbox::plan`] finds out what the command needs and why; [`Sandbox::spec`] and
//! [`Sandbox::skeleton`] are the bundle; [`Sandbox::info`] is what `--sandbox-info` prints, and
//! [`Sandbox::difference`] what another `mount-dependencies` would change.

pub mod audit;
pub mod config;
mod devices;
mod difference;
mod error;
#[cfg(test)]
mod expectations;
mod host_side;
mod identity;
mod info;
pub mod learn;
mod mounts;
pub mod preflight;
mod request;
mod resources;
mod sandbox;
mod spec;
#[cfg(test)]
mod tests;
mod writable;

pub use difference::{Change, Difference};
pub use error::SandboxError;
pub use identity::Identity;
pub use request::Request;
pub use sandbox::{CommandFilter, Sandbox};
pub use writable::writable_near;

/// Where the project directory is inside. Its place on the host is nobody's business there.
pub const PROJECT: &str = "/project";

/// The private temporary directory inside.
pub const TEMPORARY: &str = "/tmp";
