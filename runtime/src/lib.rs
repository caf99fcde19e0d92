//! The OCI runtime: owns processes.
//!
//! [`container`] takes a bundle to a running, observed container and back to nothing; [`preflight`] looks
//! at root file systems before libcontainer does. The `opt-runtime` binary and the shims drive both.

mod below;
mod cli;
mod commands;
pub mod container;
mod device_nodes;
pub mod doctor;
mod enter_mounts;
pub mod features;
pub mod first_steps;
mod global;
mod json;
mod kernel_file;
mod known;
pub mod own_executable;
mod own_user_namespace;
pub mod passing;
pub mod policy;
pub mod preflight;
pub mod process_stat;
pub mod program;
mod read_at_most;
mod set_id;
pub mod starter;
pub mod sys;
pub mod telling;
mod users;

pub use enter_mounts::enter_mount_namespace;

// The commands use the library as a shim does, by its name.
extern crate self as runtime;
