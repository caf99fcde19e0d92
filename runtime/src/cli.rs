//! The command line.

use std::ffi::OsString;
use std::sync::LazyLock;

use clap::{ArgAction, Args, FromArgMatches, Parser, Subcommand};
use runtime::features::OCI_VERSION_MAX;

use crate::commands;
use crate::global::Global;

/// What `--version` prints after the program's name, in the form that Docker and podman read: version, commit
/// and the OCI runtime spec's version. Who builds for others gives the commit in `OPT_RUNTIME_COMMIT`.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "version {}\ncommit: {}\nspec: {OCI_VERSION_MAX}",
        env!("CARGO_PKG_VERSION"),
        option_env!("OPT_RUNTIME_COMMIT").unwrap_or("unknown"),
    )
});

/// Stands behind the options in `--help` and in the man page.
const MORE: &str = "\
Exit codes: the command's own; 128 + n where signal n ended it; 127 not found; 126 not executable; 125 where the fault is in the \
arguments, the bundle or the runtime, told in one line on standard error. What only engines call fails with 1.

Files: /etc/opt-runtime/config.toml, the site's policy; /run/opt-runtime, the state of root's containers.";

/// An OCI container runtime that keeps the promise of sealed bundles.
#[derive(Debug, Parser)]
#[command(name = "opt-runtime", version = VERSION.as_str())]
#[command(disable_help_subcommand = true, disable_version_flag = true, after_help = MORE)]
pub struct Cli {
    /// What may stand before any command.
    #[command(flatten)]
    pub before: Before,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What may stand before any command.
#[derive(Debug, Args)]
pub struct Before {
    /// Print version
    #[arg(short = 'v', long, visible_short_alias = 'V', action = ArgAction::Version)]
    version: Option<bool>,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

impl Cli {
    /// What `arguments` say, of which the first is the program's name.
    ///
    /// # Errors
    /// clap's, which is help as well.
    pub fn of(arguments: &[OsString]) -> Result<Self, clap::Error> {
        match Self::of_named(arguments) {
            Some(parsed) => Ok(parsed),
            None => Self::try_parse_from(arguments),
        }
    }

    /// The same with the subcommand alone that seems to be named: clap would give every one a copy of each global option,
    /// which is half of what a start touches of the heap. Where another was meant, or anything is wrong, this fails: no
    /// word but a subcommand's name can be where one is expected.
    fn of_named(arguments: &[OsString]) -> Option<Self> {
        let all = Command::augment_subcommands(clap::Command::new("all"));
        let mut words = arguments.iter().skip(1);
        let named = words.find_map(|word| all.find_subcommand(word))?;
        let alone = Before::augment_args(clap::Command::new("alone"))
            .version(VERSION.as_str())
            .disable_help_subcommand(true)
            .disable_version_flag(true)
            .subcommand(named.clone());
        let found = alone.try_get_matches_from(arguments).ok()?;
        Self::from_arg_matches(&found).ok()
    }
}

/// What to do. clap makes the options of the one that is named, and no others': a start is most of a short command.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Create a container; its command waits for `start`
    Create(commands::create::Arguments),
    /// Let a created container execute its command
    Start(commands::start::Arguments),
    /// Print a container's state as JSON
    State(commands::state::Arguments),
    /// Send a signal to a container
    Kill(commands::kill::Arguments),
    /// Stop a container's processes where they are
    Pause(commands::pause::Arguments),
    /// Let a paused container go on
    Resume(commands::resume::Arguments),
    /// Print what a container uses, and what happens to it, as lines of JSON
    Events(commands::events::Arguments),
    /// Change a container's limits
    Update(commands::update::Arguments),
    /// Print a container's processes
    Ps(commands::ps::Arguments),
    /// Delete a container
    Delete(commands::delete::Arguments),
    /// Create, start, wait and delete
    Run(commands::run::Arguments),
    /// Execute another command in a container
    Exec(commands::exec::Arguments),
    /// List containers
    List(commands::list::Arguments),
    /// Write a config.json to begin with
    Spec(commands::spec::Arguments),
    /// Save a running container's processes in files, by criu
    Checkpoint(commands::checkpoint::Arguments),
    /// Make a container again from what `checkpoint` saved
    Restore(commands::restore::Arguments),
    /// Print what this runtime can do, as JSON
    Features,
    /// Make a bundle and stop there
    Bundle(commands::bundle::Arguments),
    /// Check a bundle against the promise; exit code 1 when a protection is broken
    Check(commands::check::Arguments),
    /// Tell what this host can and can't do, each with the remedy
    Doctor(commands::doctor::Arguments),
    /// Seal someone else's bundle into a new one, and print what changed
    Seal(commands::seal::Arguments),
    /// Show what a bundle exposes, and why
    Explain(commands::explain::Arguments),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_subcommand_alone_is_parsed_as_among_all() {
        for line in [
            "opt-runtime state web",
            "opt-runtime --root /r --log-format json run -b /b --keep web",
            "opt-runtime create --bundle /b --pid-file /p web --root /r --debug",
            "opt-runtime exec --preserve-fds 2 web run kill",
            "opt-runtime kill --all web TERM",
            "opt-runtime features",
        ] {
            let alone = Cli::of_named(&words(line)).expect(line);
            let among_all = Cli::try_parse_from(words(line)).expect(line);
            assert_eq!(format!("{alone:?}"), format!("{among_all:?}"));
        }
    }

    #[test]
    fn a_word_that_only_looks_like_a_subcommand_is_none() {
        for (line, meant) in [
            ("opt-runtime --root run state web", "State"),
            ("opt-runtime --log kill delete --force web", "Delete"),
        ] {
            assert!(Cli::of_named(&words(line)).is_none(), "{line}");
            let parsed = Cli::of(&words(line)).expect(line);
            assert!(format!("{:?}", parsed.command).starts_with(meant), "{line}");
        }
        for line in [
            "opt-runtime",
            "opt-runtime --help",
            "opt-runtime state",
            "opt-runtime state --nonsense x",
        ] {
            assert!(Cli::of(&words(line)).is_err(), "{line}");
        }
    }
}
