//! `delete`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::container;

use crate::global::Global;

/// Arguments of `delete`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Kill it if it runs; nothing there is fine
    #[arg(short, long)]
    pub force: bool,
    /// The container's id
    pub id: String,
}

/// Deletes a container and all that belongs to it.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    container::delete(&global.store(), &arguments.id, arguments.force)?;
    Ok(ExitCode::SUCCESS)
}
