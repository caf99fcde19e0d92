//! `pause`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::container;

use crate::global::Global;

/// Arguments of `pause`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The container's id
    pub id: String,
}

/// Stops the container's processes where they are.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    container::pause(&global.store().open(&arguments.id)?)?;
    Ok(ExitCode::SUCCESS)
}
