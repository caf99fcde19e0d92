//! Requests in, sealed OCI bundles out.
//!
//! A *sealed bundle* is an OCI bundle whose `config.json` alone keeps the promise of the two seeds: the
//! process sees only what was named, has no privilege, and can never gain any. This library makes such
//! bundles, checks any bundle against the promise, and explains what a bundle exposes. It starts no
//! process and needs no root; the `runtime` crate owns processes.
#![forbid(unsafe_code)]

pub mod bundle;
pub mod elf;
pub mod exposure;
pub mod opt_server;
pub mod promise;
pub mod seccomp;
pub mod shifter;
pub mod small_file;
pub mod spelling;
#[cfg(test)]
mod vectors;
