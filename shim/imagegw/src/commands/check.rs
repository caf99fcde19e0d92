//! `shifter-imagegw check`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::read;
use crate::configuration::USUAL_PATH;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", env = "GWCONFIG", default_value = USUAL_PATH)]
    config: PathBuf,
}

/// Reads the configuration, and tells what in it has no effect or is doubtful.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let configuration = read(&arguments.config)?;
    for warning in &configuration.warnings {
        println!("{}: {warning}", arguments.config.display());
    }
    Ok(ExitCode::SUCCESS)
}
