//! `image`: what a site or a user does with images outside containers.

mod inspect;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Subcommands of `image`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what a file is: its file system, and whether all of it is there
    Inspect(inspect::Arguments),
}

/// Does one of them.
pub fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Inspect(arguments) => inspect::execute(&arguments),
    }
}
