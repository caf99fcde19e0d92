//! `opt-runtime`: an OCI container runtime that keeps the promise of sealed bundles.

mod cli;
mod commands;
mod global;

use std::process::ExitCode;

use clap::Parser;
use runtime::telling;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => commands::dispatch(cli),
        Err(error) => {
            let arguments: Vec<_> = std::env::args_os().collect();
            telling::usage("opt-runtime", &global::log_of_raw(&arguments), &error)
        }
    }
}
