//! Inputs of others, made up by libFuzzer.
//!
//! A target takes bytes that are never right by themselves, hands them to what the project reads such things with, and
//! holds its answers against what must be true of them: a crash is only the plainest thing that may be wrong. Targets go
//! through public interfaces, as callers do.
//!
//! `hack/fuzz` runs them under libFuzzer; the tests here run them on every seed and on every input that once
//! found something, in an ordinary build.

pub mod processor_time;
pub mod properties;
pub mod seeds;
mod tar;
mod targets;

use std::path::Path;

pub use targets::{TARGETS, Target, target};

/// Takes inputs, one after the other, and panics where an answer is wrong.
pub type Run = Box<dyn FnMut(&[u8])>;

/// Makes a [`Run`] that may fill a directory.
pub type Make = fn(scratch: &Path) -> Run;
