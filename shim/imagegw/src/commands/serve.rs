//! `shifter-imagegw serve`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::read;
use crate::configuration::USUAL_PATH;
use crate::server;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", env = "GWCONFIG", default_value = USUAL_PATH)]
    config: PathBuf,
    /// Where to listen [default: the configuration's, else localhost:8000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Pulls at once [default: the configuration's]
    #[arg(long, value_name = "NUMBER", env = "WORKERS")]
    workers: Option<usize>,
}

/// Serves until it is told to end.
pub fn execute(arguments: Arguments) -> Result<ExitCode> {
    let mut configuration = read(&arguments.config)?;
    if let Some(listen) = arguments.listen {
        configuration.listen = listen;
    }
    if let Some(workers) = arguments.workers {
        configuration.workers = workers.clamp(1, 256);
    }
    let maker = crate::making::maker(&configuration)?;
    server::start(configuration, maker)?;
    Ok(ExitCode::SUCCESS)
}
