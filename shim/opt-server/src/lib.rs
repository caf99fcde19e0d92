//! `opt-server`: command lines of untrusted users, each in a sandbox of its own.

mod command_line;
mod commands;
mod configuration;
mod execution;
pub mod server;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use runtime::container::Error;
use runtime::first_steps;
use runtime::telling::{self, Log, OURS};

/// The Opt-Server backend: runs command lines of untrusted users, each in a sandbox of its own.
#[derive(Debug, Parser)]
#[command(
    name = "opt-server",
    version,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    start: commands::start::Arguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hold the configuration against the published best practices
    Audit(commands::audit::Arguments),
    /// See whether every command of the configuration would start on this host
    Check(commands::check::Arguments),
    /// Show what a command's sandbox exposes and why, without running it
    Explain(commands::explain::Arguments),
    /// Print the JSON Schema of config.json
    Schema,
    /// Run one command line here and now, with this directory as its project
    Run(commands::run::Arguments),
    /// Make a sandbox before it is asked for; the server calls it
    #[command(hide = true)]
    Ready(commands::ready::Arguments),
    /// Make, list and revoke the server's API keys
    Keys(commands::keys::Arguments),
    /// Watch which files a command opens, and propose what to mount for it
    Learn(commands::learn::Arguments),
}

/// The command line as clap knows it, for whoever documents it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what this process's arguments say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return telling::usage("opt-server", &Log::default(), &error),
    };
    let outcome = first_steps::take(0)
        .map_err(anyhow::Error::from)
        .and_then(|()| match cli.command {
            Some(Command::Audit(arguments)) => commands::audit::execute(&arguments),
            Some(Command::Check(arguments)) => commands::check::execute(&arguments),
            Some(Command::Explain(arguments)) => commands::explain::execute(&arguments),
            Some(Command::Schema) => commands::schema::execute(),
            Some(Command::Run(arguments)) => commands::run::execute(&arguments),
            Some(Command::Ready(arguments)) => commands::ready::execute(&arguments),
            Some(Command::Learn(arguments)) => commands::learn::execute(&arguments),
            Some(Command::Keys(arguments)) => commands::keys::execute(&arguments),
            None if cli.start.start => commands::start::execute(cli.start),
            None => anyhow::bail!("nothing to do; hint: opt-server --start"),
        });
    outcome.unwrap_or_else(|error| {
        telling::say(&format!("opt-server: {}\n", telling::line(error.as_ref())));
        let code = error.downcast_ref::<Error>().map_or(OURS, Error::exit_code);
        ExitCode::from(code)
    })
}
