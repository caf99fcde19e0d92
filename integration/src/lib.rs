//! Tests that drive the built binaries against the real kernel.
//!
//! A test makes a [`Bench`], which has a state directory and scratch space of its own and takes all of it
//! away again, also when the test panics. On it a test makes bundles ([`Bundle`]) and runs the binaries
//! ([`Tool`]). What a sandbox looks like from inside, the program in `hostile/` tells ([`Probe`]).
//!
//! The binaries are taken from `$OPT_BIN_DIR`, else from the directory that this build is in. All of it
//! needs root.

mod bench;
mod binaries;
pub mod browser;
mod bundle;
pub mod cgroup;
mod container;
mod delegated;
pub mod forged;
pub mod generated;
pub mod golden;
pub mod host;
pub mod https;
mod ordinary;
mod outcome;
pub mod plain;
mod probe;
pub mod program;
mod server;
pub mod service;
mod session;
mod skip;
mod systemd;
pub mod terminal;
mod tool;
mod verity;
pub mod weaken;

pub use bench::{Bench, NOISE};
pub use binaries::{
    containerd_shim, gams, model, opt_runtime, opt_server, probe_path, require_program, shifter,
    shifter_imagegw, shifterimg,
};
pub use bundle::Bundle;
pub use container::{Container, Runtime, is_by_systemd};
pub use delegated::Delegated;
pub use ordinary::Ordinary;
pub use outcome::Outcome;
pub use probe::Probe;
pub use server::Server;
pub use session::Session;
pub use skip::skip;
pub use systemd::under_systemd;
pub use tool::{Running, Tool, wait_until};
pub use verity::verity_digest;
