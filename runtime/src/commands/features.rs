//! `features`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::{features, telling};

/// Prints the OCI spec's `features` structure.
pub fn execute() -> Result<ExitCode> {
    let text = serde_json::to_string_pretty(&features::features())?;
    telling::print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}
