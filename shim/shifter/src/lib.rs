//! `shifter`: containers of users' images on this node, as sealed bundles.

mod commands;
mod compat;
mod container;
mod getopt;
pub mod images;
mod inherited;
mod keeping;
mod sys;
mod tasks;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::{ArgAction, CommandFactory, Parser, Subcommand};
use getopt::with_equals;
use runtime::container::Error;
use runtime::first_steps;
use runtime::telling::{self, Log, OURS};

use inherited::Inherited;

/// What the options alone don't say.
const AFTER_HELP: &str = "\
Options end where the command begins. Where no option says it, variables count, with SLURM_SPANK_
before them, too: SHIFTER_IMAGE with SHIFTER_IMAGETYPE, SHIFTER_IMAGEREQUEST, SHIFTER_VOLUME,
SHIFTER_MODULE.

The exit code is the command's, 128 and the number of the signal that ended it, 127 where it isn't
there, 126 where it can't be run, and 125, with one line that says why, where no container can be made.

Examples:
  shifter --image=ubuntu:22.04 python3 solve.py
  shifter --image=ubuntu:22.04 --volume=/scratch/ann:/data --env=N=4 ./solve
  shifter --image=./mine.squashfs sh
  shifter explain --image=ubuntu:22.04 sh";

/// Runs containers of users' images, without privilege.
#[derive(Debug, Parser)]
#[command(
    name = "shifter",
    version,
    disable_help_subcommand = true,
    disable_version_flag = true,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = AFTER_HELP
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
    /// Run Shifter's black-box checks on this site, and print what they find
    Compat(commands::compat::Arguments),
    /// The site's configuration
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Show what a container would have and why, without running anything
    Explain(Box<commands::explain::Arguments>),
    /// Images: what one is, where it is mounted, and mounting one
    #[command(subcommand)]
    Image(commands::image::Command),
    /// Make the container that a job asks for, in Slurm's prolog
    Prolog(commands::prolog::Arguments),
    /// Take a job's container away, in Slurm's epilog
    Epilog(commands::setup_root::Unset),
    /// Make a container for a job, with the arguments of Shifter's setupRoot
    #[command(name = SET_UP)]
    SetUp(commands::setup_root::SetUp),
    /// Take it away, as Shifter's unsetupRoot does
    #[command(name = UNSET)]
    Unset(commands::setup_root::Unset),
}

/// Programs of Shifter's that this one is, too: by a link of that name, or by a first word.
const SET_UP: &str = "setupRoot";
const UNSET: &str = "unsetupRoot";

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
    // Other programs of this one's have no tasks.
    let inherited = match cli.command {
        None => Inherited::take(),
        Some(_) => Inherited::default(),
    };
    let outcome = first_steps::take(inherited.count())
        .map_err(anyhow::Error::from)
        .and_then(|()| match cli.command {
            Some(Command::Compat(arguments)) => commands::compat::execute(&arguments),
            Some(Command::Config(command)) => commands::config::execute(&command),
            Some(Command::Explain(arguments)) => commands::explain::execute(&arguments),
            Some(Command::Image(command)) => commands::image::execute(command),
            Some(Command::Prolog(arguments)) => commands::prolog::execute(&arguments),
            Some(Command::SetUp(arguments)) => commands::setup_root::set(&arguments),
            Some(Command::Epilog(arguments) | Command::Unset(arguments)) => {
                commands::setup_root::unset(&arguments)
            }
            None => commands::run::execute(&cli.run, inherited),
        });
    outcome.unwrap_or_else(|error| {
        telling::say(&format!("shifter: {}\n", telling::line(error.as_ref())));
        let code = error.downcast_ref::<Error>().map_or(OURS, Error::exit_code);
        ExitCode::from(code)
    })
}

/// A subcommand is one only as the very first word: in `shifter --image=x image` it is the container's.
fn parse(mut words: Vec<OsString>) -> Result<Cli, clap::Error> {
    let called = words.first().map(Path::new).and_then(Path::file_name);
    if let Some(name) = called.filter(|name| [SET_UP, UNSET].iter().any(|known| name == known)) {
        let name = name.to_owned();
        words.insert(1, name);
        return Cli::try_parse_from(words);
    }
    let words = of_script(words);
    let first = words.get(1).map(OsString::as_os_str);
    let is_option = first.is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
    let tells = ["--help", "-h", "--version"];
    if !is_option || tells.iter().any(|flag| first == Some(OsStr::new(flag))) {
        return Cli::try_parse_from(match first == Some(OsStr::new("explain")) {
            true => with_equals(&Run::command(), words, 2),
            false => words,
        });
    }
    Run::try_parse_from(with_equals(&Run::command(), words, 1)).map(|Run { run }| Cli {
        version: None,
        run,
        command: None,
    })
}

/// The words that `#!/usr/bin/shifter --image=NAME /bin/sh` means: the kernel gives all that is behind the program as
/// one. No image has a blank in its name.
fn of_script(mut words: Vec<OsString>) -> Vec<OsString> {
    let first = words.get(1).and_then(|word| word.to_str());
    let parts: Vec<OsString> = match first.filter(|word| word.starts_with("--image=")) {
        Some(word) => word.split_ascii_whitespace().map(OsString::from).collect(),
        None => return words,
    };
    words.splice(1..2, parts);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Cli {
        let words = line.split(' ').map(OsString::from).collect();
        parse(words).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[test]
    fn a_script_names_its_image_and_interpreter_in_one_word() {
        let words =
            |words: &[&str]| -> Vec<OsString> { words.iter().map(OsString::from).collect() };
        for (given, meant) in [
            (
                &["shifter", "--image=x  /bin/sh -e", "./script", "a b"][..],
                &["shifter", "--image=x", "/bin/sh", "-e", "./script", "a b"][..],
            ),
            (
                &["shifter", "/bin/sh", "a b"],
                &["shifter", "/bin/sh", "a b"],
            ),
            (
                &["shifter", "--env=A=b c", "x"],
                &["shifter", "--env=A=b c", "x"],
            ),
            (&["shifter"], &["shifter"]),
        ] {
            assert_eq!(of_script(words(given)), words(meant));
        }
    }

    #[test]
    fn the_working_directory_may_be_attached_to_its_letter() {
        for (line, wanted, command) in [
            ("shifter -w/d -ix sh -w/e", Some("/d"), &["sh", "-w/e"][..]),
            ("shifter -Ew/d sh", Some("/d"), &["sh"]),
            ("shifter -w=/d sh", Some("/d"), &["sh"]),
            ("shifter -w sh", Some(""), &["sh"]),
            ("shifter --entry -w/d sh", Some("/d"), &["sh"]),
            ("shifter -e A=1 --env B=2 -w/d sh", Some("/d"), &["sh"]),
            ("shifter -e A=1 sh -w/d", None, &["sh", "-w/d"]),
            ("shifter -- -w/d", None, &["-w/d"]),
        ] {
            let options = parsed(line).run.options;
            assert_eq!(options.workdir.as_deref(), wanted, "{line}");
            assert_eq!(options.command, command, "{line}");
        }
        let explained = parsed("shifter explain -w/d -ix sh");
        let Some(Command::Explain(arguments)) = explained.command else {
            panic!("{explained:?}");
        };
        assert_eq!(arguments.options.workdir.as_deref(), Some("/d"));
    }

    #[test]
    fn a_subcommand_is_the_first_word_and_else_the_containers() {
        for (line, is_subcommand) in [
            ("shifter config check", true),
            ("shifter compat --image=x --json", true),
            ("shifter explain --image=x config check", true),
            ("shifter image inspect /x", true),
            ("shifter setupRoot -V -u a -N h1/2 id x", true),
            ("/sbin/setupRoot -v /a:/b -v /c:/d -U 1 -G 2 id x", true),
            ("unsetupRoot", true),
            ("shifter prolog", true),
            ("shifter --image=x prolog", false),
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
