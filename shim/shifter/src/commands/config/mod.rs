//! `config`: what there is to say of a site's configuration.

mod check;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Subcommands of `config`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read udiRoot.conf and tell what of it is dangerous, doubtful, dead or deprecated
    Check(check::Arguments),
}

/// Does one of them.
pub fn execute(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Check(arguments) => check::execute(arguments),
    }
}
