//! `state`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::telling;

use crate::global::Global;

/// Arguments of `state`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The container's id
    pub id: String,
}

/// Prints the container's state as the OCI spec has it.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    let container = global.store().look(&arguments.id)?;
    let text = serde_json::to_string_pretty(&container.oci_state())?;
    telling::print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}
