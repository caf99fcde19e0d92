//! `shifter`: containers of users' images on this node, as sealed bundles.

mod commands;
pub mod images;
mod sys;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use runtime::container::{Error, make_descriptors_sane};
use runtime::telling::{self, Log, OURS};

/// Runs containers of users' images, without privilege.
#[derive(Debug, Parser)]
#[command(
    name = "shifter",
    version,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Images: what one is, where it is mounted, and mounting one
    #[command(subcommand)]
    Image(commands::image::Command),
}

/// The command line as clap knows it, for whoever documents it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what this process's arguments say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return telling::usage("shifter", &Log::default(), &error),
    };
    let outcome = make_descriptors_sane(0)
        .map_err(anyhow::Error::from)
        .and_then(|()| match cli.command {
            Command::Image(command) => commands::image::execute(command),
        });
    outcome.unwrap_or_else(|error| {
        telling::say(&format!("shifter: {}\n", telling::line(error.as_ref())));
        let code = error.downcast_ref::<Error>().map_or(OURS, Error::exit_code);
        ExitCode::from(code)
    })
}
