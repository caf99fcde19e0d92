//! One file a subcommand.

pub mod check;
pub mod make;
pub mod serve;
pub mod token;

use std::path::{Path, absolute};

use anyhow::Result;

use crate::configuration::Configuration;

/// The configuration at a path that may be relative.
fn read(path: &Path) -> Result<Configuration> {
    Ok(Configuration::read(&absolute(path)?)?)
}
