//! `shifter`: containers of users' images on this node, as sealed bundles.

mod commands;
mod container;
pub mod images;
mod sys;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{ArgAction, CommandFactory, Parser, Subcommand};
use runtime::container::{Error, make_descriptors_sane};
use runtime::telling::{self, Log, OURS};

/// Runs containers of users' images, without privilege.
#[derive(Debug, Parser)]
#[command(
    name = "shifter",
    version,
    disable_help_subcommand = true,
    disable_version_flag = true,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
struct Cli {
    /// Print the version
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
    #[command(flatten)]
    run: commands::run::Arguments,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The same without subcommands: their names are commands in containers like others.
#[derive(Debug, Parser)]
#[command(name = "shifter", disable_version_flag = true)]
struct Run {
    #[command(flatten)]
    run: commands::run::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The site's configuration
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Show what a container would have and why, without running anything
    Explain(commands::explain::Arguments),
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
    let cli = match parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(error) => return telling::usage("shifter", &Log::default(), &error),
    };
    let outcome = make_descriptors_sane(0)
        .map_err(anyhow::Error::from)
        .and_then(|()| match cli.command {
            Some(Command::Config(command)) => commands::config::execute(&command),
            Some(Command::Explain(arguments)) => commands::explain::execute(&arguments),
            Some(Command::Image(command)) => commands::image::execute(command),
            None => commands::run::execute(&cli.run),
        });
    outcome.unwrap_or_else(|error| {
        telling::say(&format!("shifter: {}\n", telling::line(error.as_ref())));
        let code = error.downcast_ref::<Error>().map_or(OURS, Error::exit_code);
        ExitCode::from(code)
    })
}

/// A subcommand is one only as the very first word: in `shifter --image=x image` it is the container's.
fn parse(words: Vec<OsString>) -> Result<Cli, clap::Error> {
    let first = words.get(1).map(OsString::as_os_str);
    let is_option = first.is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
    let tells = ["--help", "-h", "--version"];
    if !is_option || tells.iter().any(|flag| first == Some(OsStr::new(flag))) {
        return Cli::try_parse_from(words);
    }
    Run::try_parse_from(words).map(|Run { run }| Cli {
        version: None,
        run,
        command: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Cli {
        let words = line.split(' ').map(OsString::from).collect();
        parse(words).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[test]
    fn a_subcommand_is_the_first_word_and_else_the_containers() {
        for (line, is_subcommand) in [
            ("shifter config check", true),
            ("shifter explain --image=x config check", true),
            ("shifter image inspect /x", true),
            ("shifter --image=x image inspect /x", false),
            (
                "shifter --image=x -V /a:/b -e A=1 -E -w --entry config",
                false,
            ),
            ("shifter --image=x -- -c", false),
            ("shifter -i x sh -c --image=y", false),
            ("shifter sh", false),
        ] {
            assert_eq!(parsed(line).command.is_some(), is_subcommand, "{line}");
        }
        Cli::command().debug_assert();
        Run::command().debug_assert();
    }
}
