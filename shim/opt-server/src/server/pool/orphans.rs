//! What a server that was killed left of its pool.
//!
//! A ready sandbox sees that its server is gone and goes, unless it had been asked just before: then it runs what it
//! was asked for. Until each has done one or the other, nobody can say which executions run.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use runtime::container::ProcessId;
use rustix::process::{Signal, pidfd_send_signal};

use super::super::App;
use super::super::execution::Place;
use super::super::launch::parent;

const INTERVAL: Duration = Duration::from_millis(5);

/// How long one may take that is stopped, or on a machine that is worn out.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until every sandbox of a server before this one has gone, or has taken an execution. One that does neither is
/// ended. Blocks.
pub fn settle(app: &App) {
    let copies = app.state.configs();
    let executions = app.state.executions();
    let began = Instant::now();
    loop {
        let undecided = undecided(&copies, &executions);
        if undecided.is_empty() {
            return;
        }
        if began.elapsed() > PATIENCE {
            for process in undecided {
                end(process);
            }
            return;
        }
        sleep(INTERVAL);
    }
}

fn end(process: ProcessId) {
    tracing::warn!(
        pid = process.pid,
        "a ready sandbox of a server before this one is ended"
    );
    let opened = runtime::container::open_process(process);
    // What it leaves is swept.
    let _ = opened.map(|descriptor| pidfd_send_signal(descriptor, Signal::KILL));
}

/// The process that runs the execution in `place`, where that was handed to a sandbox that was ready: nothing but what
/// it prints to names the execution.
pub fn find(place: &Place) -> Option<ProcessId> {
    let all = processes(None);
    let wanted = identity(&place.stdout())?;
    let worker = all.iter().find(|pid| output(**pid) == Some(wanted))?;
    let guardian = parent(*worker).filter(|parent| all.contains(parent));
    ProcessId::of(guardian.unwrap_or(*worker)).ok()
}

/// Processes of sandboxes whose configuration lies in `copies`, and none of whose processes prints to `executions`.
fn undecided(copies: &Path, executions: &Path) -> Vec<ProcessId> {
    let all = processes(Some(copies));
    let executions = executions.canonicalize();
    let has_taken = |pid: i32| {
        let output = fs::read_link(format!("/proc/{pid}/fd/1"));
        let (Ok(output), Ok(executions)) = (output, &executions) else {
            return false;
        };
        output.starts_with(executions)
    };
    let takers: Vec<i32> = all.iter().copied().filter(|pid| has_taken(*pid)).collect();
    let of_taker = |pid: i32| {
        takers.iter().any(|taker| {
            *taker == pid || parent(*taker) == Some(pid) || parent(pid) == Some(*taker)
        })
    };
    let undecided = all.into_iter().filter(|pid| !of_taker(*pid));
    undecided
        .filter_map(|pid| ProcessId::of(pid).ok())
        .collect()
}

/// Processes called as those of ready sandboxes are, with a configuration in `copies` where that is given.
fn processes(copies: Option<&Path>) -> Vec<i32> {
    let is_its = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        words.nth(1).as_deref() == Some("ready")
            && copies.is_none_or(|copies| words.any(|word| Path::new(&*word).starts_with(copies)))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_its).collect()
}

fn output(pid: i32) -> Option<(u64, u64)> {
    identity(Path::new(&format!("/proc/{pid}/fd/1")))
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
