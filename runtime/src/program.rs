//! `opt-runtime`, the program: its entry, and its command line for whoever documents that.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::Cli;
use crate::{commands, global, telling};

/// The command line as clap knows it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what this process's arguments say.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => commands::dispatch(cli),
        Err(error) => {
            let arguments: Vec<_> = std::env::args_os().collect();
            telling::usage("opt-runtime", &global::log_of_raw(&arguments), &error)
        }
    }
}
