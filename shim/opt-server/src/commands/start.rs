//! `--start`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::server::{self, DEFAULT_STATE, Options};

/// Arguments of `--start`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Serve functions and command lines over HTTPS
    #[arg(long)]
    pub start: bool,
    /// The configuration [default: config.json here, else beside this executable]
    #[arg(long, value_name = "FILE", requires = "start")]
    config: Option<PathBuf>,
    /// Where to listen [default: server.json's, else localhost:3445]
    #[arg(long, value_name = "ADDRESS:PORT", requires = "start")]
    listen: Option<String>,
    /// Directory for executions, keys and certificate
    #[arg(long, value_name = "DIR", default_value = DEFAULT_STATE)]
    state: PathBuf,
    /// Directory for the state of containers [default: opt-runtime's]
    #[arg(long, value_name = "DIR", requires = "start")]
    root: Option<PathBuf>,
    /// Show on standard error what each command's sandbox exposes, and why
    #[arg(long, requires = "start")]
    sandbox_info: bool,
    /// The certificate chain, PEM [default: one of our own making]
    #[arg(long, value_name = "FILE", requires = "start")]
    certificate: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "start")]
    certificate_key: Option<PathBuf>,
    /// How much the log tells: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: tracing::Level,
}

/// Serves until it is told to end.
pub fn execute(arguments: Arguments) -> Result<ExitCode> {
    server::start(&Options {
        config: arguments.config,
        listen: arguments.listen,
        state: arguments.state,
        root: arguments.root,
        sandbox_info: arguments.sandbox_info,
        certificate: arguments.certificate,
        certificate_key: arguments.certificate_key,
        log_level: arguments.log_level,
    })?;
    Ok(ExitCode::SUCCESS)
}
