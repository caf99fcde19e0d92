//! `shifterimg`: the image gateway's client, as Shifter has it.

mod certificate;
mod commands;
mod files;
mod gateway;
mod proof;
mod registries;
mod site;
mod table;
mod users;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use runtime::telling::{self, Log};

use site::Options;

/// Lists, looks up, pulls and imports images at the site's image gateway.
#[derive(Debug, Parser)]
#[command(name = "shifterimg", version, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    mode: commands::Mode,
}

/// The command line as clap knows it, for whoever documents it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what this process's arguments say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return telling::usage("shifterimg", &Log::default(), &error),
    };
    commands::execute(cli.mode, &cli.options).unwrap_or_else(|error| {
        telling::say(&format!("shifterimg: {}\n", telling::line(error.as_ref())));
        ExitCode::FAILURE
    })
}
