//! Two processes for a foreground `run`, so that one is left to clean up whichever is killed.
//!
//! The process that was called becomes the *guardian* and the work goes on in its child, the *worker*.
//! If the worker is killed, the guardian inherits all that the worker had begun, down to libcontainer's
//! half-done children, ends it and removes the container. If the guardian is killed, the worker sees it
//! and ends its container itself. If both are killed at once, the next run sweeps.

use std::os::fd::{AsFd, OwnedFd};
use std::process::exit;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, setpgid};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::delete::remove_everything;
use super::process::{ProcessId, children, is_alive};
use super::store::{SCRATCH_PREFIX, Store};
use super::supervise::Signals;
use super::{Error, Result};
use crate::sys::fork;
use crate::telling;

/// The worker's hold on its guardian.
#[derive(Debug)]
pub(super) struct Guardian {
    process: OwnedFd,
}

impl Guardian {
    /// Its end can be polled.
    pub(super) fn as_poll_fd(&self) -> PollFd<'_> {
        PollFd::new(&self.process, PollFlags::IN)
    }
}

/// Splits this process. Returns in the worker only; the guardian exits with the worker's code.
///
/// `id` names the container, where the caller did; the worker's process does otherwise.
///
/// # Errors
/// Where the split fails; there is one process then.
pub(super) fn split(store: &Store, id: Option<&str>, signals: &Signals) -> Result<Guardian> {
    let process = pidfd_open(getpid(), PidfdFlags::empty())
        .map_err(Error::step("open a descriptor for this process"))?;
    rustix::process::set_child_subreaper(Some(getpid()))
        .map_err(Error::step("adopt what a killed run leaves"))?;
    let Some(worker) = fork().map_err(Error::step("fork the worker"))? else {
        // Out of the terminal's reach: the guardian passes on what comes from there, once.
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(Error::step("leave the group"))?;
        telling::follow_this_process();
        return Ok(Guardian { process });
    };
    let made_up = ProcessId::of(worker.as_raw()).ok().map(made_up_id);
    let id = id.map(str::to_owned).or(made_up);
    let code = match guard(worker, signals) {
        Some(code) => code,
        None => {
            end_children();
            if let Some(id) = &id {
                // There is nobody left to tell but the next run, which sweeps.
                let _ = remove_everything(store, id);
                let _ = store.remove_scratch(id);
            }
            128 + Signal::SIGKILL as i32
        }
    };
    exit(code)
}

/// Passes signals on until the worker ends: its exit code, or `None` where it was killed.
fn guard(worker: Pid, signals: &Signals) -> Option<i32> {
    let pid = rustix::process::Pid::from_raw(worker.as_raw())?;
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    loop {
        let mut waiting = [
            PollFd::new(&process, PollFlags::IN),
            PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
        ];
        let _ = poll(&mut waiting, None);
        while let Ok(Some(signal)) = signals.next() {
            let _ = kill(worker, signal);
        }
        match waitpid(worker, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => {}
            Ok(WaitStatus::Exited(_, code)) => return Some(code),
            _ => return None,
        }
    }
}

/// Kills and reaps everything that the worker's death left to this process.
fn end_children() {
    loop {
        for child in children().unwrap_or_default() {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        // Each death may leave children of its own.
        if waitpid(None, None).is_err() {
            return;
        }
    }
}

/// Removes the containers and scratch directories of runs that are gone with their guardians.
///
/// What can't be removed now is left for the next sweep; the caller's own work must not fail for it.
pub(super) fn sweep(store: &Store) {
    for name in store.names().unwrap_or_default() {
        if let Some(id) = name.strip_prefix(SCRATCH_PREFIX) {
            if made_up_by(id).is_some_and(|run| !is_alive(run)) {
                let _ = store.remove_scratch(id);
            }
            continue;
        }
        let run = match store.open_unless_locked(&name) {
            Some(container) => container.snapshot.supervisor,
            None => made_up_by(&name),
        };
        if run.is_some_and(|run| !is_alive(run)) {
            let _ = remove_everything(store, &name);
        }
    }
}

/// An id for a run that names none: unique on this host, and it says whose it is.
pub(super) fn made_up_id(worker: ProcessId) -> String {
    let ProcessId {
        pid,
        start_time,
        namespace,
    } = worker;
    format!("run-{pid}-{start_time}-{namespace}")
}

fn made_up_by(id: &str) -> Option<ProcessId> {
    let mut numbers = id.strip_prefix("run-")?.split('-');
    let run = ProcessId {
        pid: numbers.next()?.parse().ok()?,
        start_time: numbers.next()?.parse().ok()?,
        namespace: numbers.next()?.parse().ok()?,
    };
    numbers.next().is_none().then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_id_names_its_run() {
        let us = ProcessId::current().unwrap();
        assert_eq!(made_up_by(&made_up_id(us)), Some(us));
        for other in [
            "web",
            "run-",
            "run-1",
            "run-x-2-3",
            "run-1-2",
            "run-1-2-3-4",
        ] {
            assert_eq!(made_up_by(other), None, "{other}");
        }
    }
}
