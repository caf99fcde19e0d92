//! Starting `opt-server run` for an execution: a process of its own, which goes on when this one is gone.

use std::fs;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bundles::opt_server::config;
use runtime::container::ProcessId;

use super::execution::{Execution, Place, Work};
use super::functions::Limits;
use super::pool;
use super::settings::Settings;
use crate::execution::ready::open_output;
use crate::execution::start_once;

/// This program's file, also after it was replaced on disk.
const OWN: &str = "/proc/self/exe";

/// What launching needs besides the execution.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The execution.
    pub execution: &'a Execution,
    /// Its files.
    pub place: &'a Place,
    /// The configuration that holds now: the server's own copy of it.
    pub config: &'a Path,
    /// The runtime's state directory, where it isn't its default.
    pub root: Option<&'a Path>,
    /// The user group of whoever runs it, whose limits that configuration has.
    pub user_group: Option<&'a str>,
    /// The server's settings.
    pub settings: &'a Settings,
}

/// Starts it. The child is the caller's to wait for.
///
/// # Errors
/// Where its files can't be made or it can't be started.
pub fn launch(launch: &Launch<'_>) -> io::Result<(Child, ProcessId)> {
    let stdout = open_output(&launch.place.stdout())?;
    let stderr = match launch.execution.work {
        // Callers of a function see one log, in the order in which it was printed.
        Work::Function { .. } => stdout.try_clone()?,
        Work::Command { .. } => open_output(&launch.place.stderr())?,
    };
    let mut child = command(launch)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other);
    let process = pid.and_then(ProcessId::of).inspect_err(|_| {
        // Nobody would know of it. What it leaves is cleaned up by its own second process.
        let _ = child.kill();
        let _ = child.wait();
    })?;
    Ok((child, process))
}

fn command(launch: &Launch<'_>) -> Command {
    let (name, arguments) = launch.execution.work.command_line();
    let mut command = own_command("run", launch.config, launch.root);
    command
        .arg("--project")
        .arg(launch.place.project())
        .arg("--begin")
        .arg(start_once::next(launch.place.directory()))
        .arg("--execution-id")
        .arg(&launch.execution.id)
        .arg("--report")
        .arg(launch.place.report())
        .args(flags(&enforced(launch.execution.limits, launch.settings)))
        .args(launch.user_group.map(|name| format!("--user-group={name}")))
        .arg("--")
        .arg(name)
        .args(arguments);
    command
}

/// This program's `subcommand` with the configuration `config`, in a process apart from this one.
pub(super) fn own_command(subcommand: &str, config: &Path, root: Option<&Path>) -> Command {
    let mut command = Command::new(OWN);
    command
        .arg0("opt-server")
        // A terminal's Ctrl-C is for the server.
        .process_group(0)
        .current_dir("/")
        .env_clear()
        .arg(subcommand)
        .arg("--config")
        .arg(config);
    if let Some(root) = root {
        command.arg("--root").arg(root);
    }
    command
}

/// The limits that the server sets; those of `config.json` hold besides, the smaller of each.
pub(super) fn enforced(limits: Limits, settings: &Settings) -> config::Limits {
    let Limits {
        max_memory,
        max_time,
    } = limits;
    config::Limits {
        max_output: Some(settings.max_output_mb.get().saturating_mul(1 << 20)),
        grace: Some(settings.grace_seconds),
        max_memory: max_memory.map(NonZeroU64::get),
        max_time: max_time.map(NonZeroU64::get),
        ..config::Limits::default()
    }
}

/// As [`LimitFlags`](crate::execution::LimitFlags) takes them.
pub(super) fn flags(limits: &config::Limits) -> impl Iterator<Item = String> + '_ {
    let set = limits.iter();
    set.map(|(limit, value)| format!("--{}={value}", limit.name))
}

/// The process that runs the execution in `place`, if a server before this one started it: found by its
/// command line, since that server may have been killed before it could note the pid.
pub fn find(place: &Place) -> Option<ProcessId> {
    let project = place.project();
    let project = project.to_str()?;
    let is_its = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.nth(1) == Some(b"run") && words.any(|word| word == project.as_bytes())
    };
    let pids: Vec<i32> = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| is_its(*pid))
        .collect();
    // A run is two processes; the first of them is the other one's parent.
    let first = pids
        .iter()
        .find(|pid| parent(**pid).is_none_or(|parent| !pids.contains(&parent)));
    match first {
        Some(first) => ProcessId::of(*first).ok(),
        None => pool::find(place),
    }
}

pub(super) fn parent(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}
