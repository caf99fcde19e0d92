//! `opt-runtime`, the program: its entry, and its command line for whoever documents that.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::container::early_guardian;
use crate::{commands, global, own_executable, sys, telling};

/// The command line as clap knows it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what this process's arguments say, or guards the process that does.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some((worker, socket)) = sys::worker() {
        return commands::run::guard(worker, &socket, &arguments);
    }
    if own_executable::is_second() {
        sys::populate_for_a_container();
    }
    early_guardian::note();
    match Cli::of(&arguments) {
        Ok(cli) => commands::dispatch(cli),
        Err(error) => telling::usage("opt-runtime", &global::log_of_raw(&arguments), &error),
    }
}
