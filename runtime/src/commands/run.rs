//! `run`.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use nix::unistd::Pid;
use runtime::container::{self, CONFIG, RunOptions, early_guardian};
use runtime::own_executable;
use runtime::telling::{self, OURS};

use super::creating::Creating;
use crate::cli::{Cli, Command};
use crate::global::Global;

/// Arguments of `run`: `run BUNDLE`, or as the OCI runtimes have it `run -b BUNDLE ID`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The bundle's directory
    #[arg(short, long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// The file in the bundle to read in place of config.json: `run -b BUNDLE -f FILE ID`
    #[arg(short = 'f', long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub creating: Creating,
    /// Return as soon as the command executes
    #[arg(short, long)]
    pub detach: bool,
    /// Keep the container when its command has ended
    #[arg(long)]
    pub keep: bool,
    /// The bundle's directory; with --bundle, or where no such bundle is, the container's id
    #[arg(value_name = "BUNDLE|ID")]
    pub target: String,
}

/// Runs a bundle in the foreground and exits with its command's code, or leaves the command to itself.
pub fn execute(global: &Global, arguments: Arguments) -> Result<ExitCode> {
    own_executable::protect().context("protect the runtime's own executable")?;
    let config = arguments.config.as_deref();
    let (directory, id) = split(arguments.bundle, arguments.target, config);
    let config = config.unwrap_or(Path::new(CONFIG));
    let create = arguments.creating.options(global, !arguments.detach);
    let store = global.store();
    if arguments.detach {
        early_guardian::let_go();
        let id = id.context("a detached container needs an id; hint: run --detach -b BUNDLE ID")?;
        let (bundle, changes) = global.bundle(&directory, config)?;
        container::run_detached(&store, &id, &bundle, &create)?;
        global.note_changes(&changes);
        return Ok(ExitCode::SUCCESS);
    }
    let options = RunOptions {
        id,
        keep: arguments.keep,
        create,
    };
    let mut changed = vec![];
    let outcome = container::run(&store, &options, |_| {
        let (bundle, changes) = global.bundle(&directory, config)?;
        changed = changes;
        Ok(bundle)
    })?;
    global.note_changes(&changed);
    if outcome.was_out_of_memory {
        telling::say("opt-runtime: the kernel killed the command for want of memory\n");
    }
    Ok(ExitCode::from(outcome.code))
}

/// Guards the process `worker`, which runs a bundle for this one and asks it through `socket`; exits with its code.
pub fn guard(worker: Pid, socket: &OwnedFd, arguments: &[OsString]) -> ExitCode {
    // Where they say nothing that makes a container, the worker tells so.
    let store = || match Cli::of(arguments).ok()? {
        Cli {
            before,
            command: Command::Run(_),
        } => Some(before.global.store()),
        _ => None,
    };
    let code = early_guardian::guard(worker, socket, store);
    ExitCode::from(u8::try_from(code).unwrap_or(OURS))
}

/// `run ID` in a bundle's directory is the OCI form without `--bundle`, unless a bundle of this name is there, and
/// so is one with `--config`; anything else that isn't given a bundle is the bundle.
fn split(
    bundle: Option<PathBuf>,
    target: String,
    config: Option<&Path>,
) -> (PathBuf, Option<String>) {
    match bundle {
        Some(directory) => (directory, Some(target)),
        None if config.is_some()
            || !PathBuf::from(&target).exists() && Path::new(CONFIG).exists() =>
        {
            (".".into(), Some(target))
        }
        None => (target.into(), None),
    }
}
