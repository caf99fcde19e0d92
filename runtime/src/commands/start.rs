//! `start`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::container;

use crate::global::Global;

/// Arguments of `start`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The container's id
    pub id: String,
}

/// Lets a created container execute its command.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    container::start(global.store().open(&arguments.id)?)?;
    Ok(ExitCode::SUCCESS)
}
