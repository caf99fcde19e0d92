//! `shifter-imagegw`: the image gateway.

pub mod api;
pub mod auth;
pub mod blobs;
mod commands;
pub mod configuration;
pub mod gateway;
pub mod layers;
mod making;
pub mod pull;
pub mod queue;
pub mod server;
pub mod signature;
pub mod state;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use runtime::telling::{self, Log};

use configuration::ConfigurationError;

/// Shifter's image gateway: makes image files of what registries have, and says who may use them.
#[derive(Debug, Parser)]
#[command(name = "shifter-imagegw", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM, as an ordinary user
    Serve(commands::serve::Arguments),
    /// Read the configuration, and tell what in it is wrong, dead or doubtful
    Check(commands::check::Arguments),
    /// Make an image file of a registry's image, a layout or an archive, without a server
    Make(commands::make::Arguments),
    /// Make, list and revoke tokens
    Token(commands::token::Arguments),
}

/// The command line as clap knows it, for whoever documents it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what this process's arguments say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return telling::usage("shifter-imagegw", &Log::default(), &error),
    };
    let outcome = match cli.command {
        Command::Serve(arguments) => commands::serve::execute(arguments),
        Command::Check(arguments) => commands::check::execute(&arguments),
        Command::Make(arguments) => commands::make::execute(arguments),
        Command::Token(arguments) => commands::token::execute(arguments),
    };
    outcome.unwrap_or_else(|error| {
        for line in lines(&error) {
            telling::say(&format!("shifter-imagegw: {line}\n"));
        }
        ExitCode::FAILURE
    })
}

/// What went wrong: one line, or one for each fault of a configuration.
fn lines(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref() {
        Some(ConfigurationError::Faults { path, faults }) => {
            let line = |fault: &String| format!("{}: {fault}", path.display());
            faults.iter().map(line).collect()
        }
        _ => vec![telling::line(error.as_ref())],
    }
}
