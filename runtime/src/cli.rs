//! The command line.

use std::sync::LazyLock;

use clap::{ArgAction, Parser, Subcommand};
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
    /// Print version
    #[arg(short = 'v', long, visible_short_alias = 'V', action = ArgAction::Version)]
    version: Option<bool>,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
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
