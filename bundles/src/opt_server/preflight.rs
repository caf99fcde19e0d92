//! Whether what a configuration names is there, and can be read by who will run it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde::Serialize;

use super::config::{Command, Config, Limits};
use super::host_side::HostSide;
use super::{Identity, Request};
use crate::elf::Resolver;

const OTHERS_READ: u32 = 0o004;
const OTHERS_EXECUTE: u32 = 0o001;

/// What stands in one command's way here.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// The command.
    pub command: String,
    /// What is wrong, one line each; nothing where it would start.
    pub problems: Vec<String>,
    /// What of `dlopen` is left out.
    pub notes: Vec<String>,
}

/// Looks at every command of `config` on this host. Nothing is run.
pub fn check(config: &Config, resolver: &Resolver) -> Vec<Checked> {
    let checked = config.commands.iter();
    checked
        .map(|command| check_command(config, command, resolver))
        .collect()
}

fn check_command(config: &Config, command: &Command, resolver: &Resolver) -> Checked {
    let request = Request {
        config,
        command,
        arguments: &[],
        project: PathBuf::new(),
        identity: Identity::own(0, 0, 0),
        limits: Limits::default(),
    };
    let mut checked = Checked {
        command: command.name.clone(),
        problems: vec![],
        notes: vec![],
    };
    match HostSide::plan(&request, resolver) {
        Err(error) => checked.problems.push(chain(&error)),
        Ok(host_side) => {
            let executable = command.executable.canonicalize().ok();
            let unreadable = host_side.readables.mounts.values().filter_map(|readable| {
                let is_run = Some(&readable.source) == executable.as_ref();
                unreadable(&readable.source, is_run)
            });
            let origin = request.origin();
            checked
                .problems
                .extend(unreadable.map(|what| format!("{origin}: {what}")));
            checked.notes = host_side.readables.notes;
        }
    }
    checked
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some messages hold their cause's already.
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The sandbox's identity is nobody's on the host: only what everybody may read can it read. Above a path that
/// is mounted, the sandbox has directories of its own.
fn unreadable(path: &PathBuf, is_run: bool) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let needed = match (metadata.is_dir(), is_run) {
        (true, _) => OTHERS_READ | OTHERS_EXECUTE,
        (false, true) => OTHERS_EXECUTE,
        (false, false) => OTHERS_READ,
    };
    if metadata.mode() & needed == needed {
        return None;
    }
    let mode = metadata.mode() & 0o7777;
    Some(format!(
        "{} isn't everybody's to read (mode {mode:04o}), and so not the sandbox's; hint: chmod o+rX",
        path.display()
    ))
}
