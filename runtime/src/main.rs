//! `opt-runtime`: an OCI container runtime that keeps the promise of sealed bundles.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser;
use runtime::telling;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => commands::dispatch(cli),
        Err(error) => telling::usage("opt-runtime", &error),
    }
}
