//! `schema`.

use std::process::ExitCode;

use anyhow::Result;
use bundles::opt_server::config;
use runtime::telling;

/// Prints the JSON Schema of `config.json`.
pub fn execute() -> Result<ExitCode> {
    let schema = serde_json::to_string_pretty(&config::schema())?;
    telling::print(&format!("{schema}\n"))?;
    Ok(ExitCode::SUCCESS)
}
