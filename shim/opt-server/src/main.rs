//! `opt-server`: command lines of untrusted users, each in a sandbox of its own.

mod commands;
mod configuration;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use runtime::container::{Error, make_descriptors_sane};
use runtime::telling::{self, Log, OURS};

/// The Opt-Server backend: runs command lines of untrusted users, each in a sandbox of its own.
#[derive(Debug, Parser)]
#[command(name = "opt-server", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one command line here and now, with this directory as its project
    Run(commands::run::Arguments),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return telling::usage("opt-server", &Log::default(), &error),
    };
    let outcome = make_descriptors_sane(0)
        .map_err(anyhow::Error::from)
        .and_then(|()| match cli.command {
            Command::Run(arguments) => commands::run::execute(&arguments),
        });
    outcome.unwrap_or_else(|error| {
        telling::say(&format!("opt-server: {}\n", telling::line(error.as_ref())));
        let code = error.downcast_ref::<Error>().map_or(OURS, Error::exit_code);
        ExitCode::from(code)
    })
}
