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
        let mut words = arguments.iter().skip(1);
        let named = words.find_map(|word| Command::alone(word.to_str()?))?;
        let mut alone = Before::augment_args(clap::Command::new("alone"))
            .version(VERSION.as_str())
            .disable_help_subcommand(true)
            .disable_version_flag(true)
            .subcommand(named);
        let mut found = alone.try_get_matches_from_mut(arguments).ok()?;
        let parsed = Self::from_arg_matches_mut(&mut found).ok();
        // What they are made of is taken apart with the process: hundreds of pieces, in a command that may last a millisecond.
        std::mem::forget((alone, found));
        parsed
    }
}

/// Declares the subcommands: each one's line of help, how it is called, and its arguments, if it has any.
macro_rules! subcommands {
    ($(#[doc = $about:literal] $name:ident: $variant:ident $(($module:ident::Arguments))?,)*) => {
        /// What to do. clap makes the options of the one that is named, and no others': a start is most of a short command.
        #[derive(Debug, Subcommand)]
        #[command(defer = true)]
        pub enum Command {
            $(
                #[doc = $about]
                #[command(name = stringify!($name))]
                $variant $((commands::$module::Arguments))?,
            )*
        }

        impl Command {
            /// The subcommand of this name as [`Subcommand`] makes it, without the others.
            fn alone(name: &str) -> Option<clap::Command> {
                $(
                    if name == stringify!($name) {
                        let alone = clap::Command::new(stringify!($name)).about($about.trim());
                        return Some(alone$(.defer(commands::$module::Arguments::augment_args))?);
                    }
                )*
                None
            }
        }
    };
}

subcommands! {
    /// Create a container; its command waits for `start`
    create: Create(create::Arguments),
    /// Let a created container execute its command
    start: Start(start::Arguments),
    /// Print a container's state as JSON
    state: State(state::Arguments),
    /// Send a signal to a container
    kill: Kill(kill::Arguments),
    /// Stop a container's processes where they are
    pause: Pause(pause::Arguments),
    /// Let a paused container go on
    resume: Resume(resume::Arguments),
    /// Print what a container uses, and what happens to it, as lines of JSON
    events: Events(events::Arguments),
    /// Change a container's limits
    update: Update(update::Arguments),
    /// Print a container's processes
    ps: Ps(ps::Arguments),
    /// Delete a container
    delete: Delete(delete::Arguments),
    /// Create, start, wait and delete
    run: Run(run::Arguments),
    /// Execute another command in a container
    exec: Exec(exec::Arguments),
    /// List containers
    list: List(list::Arguments),
    /// Write a config.json to begin with
    spec: Spec(spec::Arguments),
    /// Save a running container's processes in files, by criu
    checkpoint: Checkpoint(checkpoint::Arguments),
    /// Make a container again from what `checkpoint` saved
    restore: Restore(restore::Arguments),
    /// Print what this runtime can do, as JSON
    features: Features,
    /// Make a bundle and stop there
    bundle: Bundle(bundle::Arguments),
    /// Check a bundle against the promise; exit code 1 when a protection is broken
    check: Check(check::Arguments),
    /// Tell what this host can and can't do, each with the remedy
    doctor: Doctor(doctor::Arguments),
    /// Seal someone else's bundle into a new one, and print what changed
    seal: Seal(seal::Arguments),
    /// Show what a bundle exposes, and why
    explain: Explain(explain::Arguments),
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
    fn each_subcommand_alone_is_as_among_all() {
        let mut all = Command::augment_subcommands(clap::Command::new("all"));
        assert_eq!(all.get_subcommands().count(), 22);
        for among_all in all.get_subcommands_mut() {
            let mut alone = Command::alone(among_all.get_name()).unwrap();
            let (alone, among_all) = (alone.render_long_help(), among_all.render_long_help());
            assert_eq!(alone.to_string(), among_all.to_string());
        }
        assert!(Command::alone("nonsense").is_none());
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
