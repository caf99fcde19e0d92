//! `resume`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::container;

use crate::global::Global;

/// Arguments of `resume`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The container's id
    pub id: String,
}

/// Lets the container's processes go on.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    container::resume(&global.store().open(&arguments.id)?)?;
    Ok(ExitCode::SUCCESS)
}
