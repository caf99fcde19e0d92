//! `kill`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::container::{self, SignalNumber};

use crate::global::Global;

/// Arguments of `kill`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Signal every process in the container
    #[arg(short, long)]
    pub all: bool,
    /// The container's id
    pub id: String,
    /// Name or number
    #[arg(default_value = "SIGTERM")]
    pub signal: String,
}

/// Sends a signal to a container.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    let signal = SignalNumber::parse(&arguments.signal)?;
    let container = global.store().look(&arguments.id)?;
    container::kill(&container, signal, arguments.all)?;
    Ok(ExitCode::SUCCESS)
}
