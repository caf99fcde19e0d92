//! Cleaning up after a `run` that was killed.
//!
//! A foreground `run` forks this watcher first. If the run ends in any way but its own, the watcher
//! removes the container. Should both be killed, the next `run` sweeps what they left.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, dup2, setsid};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::delete::remove_everything;
use super::process::{ProcessId, is_alive};
use super::state::{SCRATCH_PREFIX, Store};
use super::{Error, Result};
use crate::sys::fork_child;

/// The watcher of this process's run; it goes when this is dropped.
#[derive(Debug)]
pub(super) struct Janitor {
    watcher: Pid,
}

impl Janitor {
    /// Forks the watcher for the container `id`.
    pub(super) fn watch(store: &Store, id: &str) -> Result<Self> {
        let run = pidfd_open(getpid(), PidfdFlags::empty())
            .map_err(Error::step("open a descriptor for this process"))?;
        let watcher = fork_child(|| match wait_and_clean(&run, store, id) {
            Ok(()) => 0,
            // The run that would have reported it is gone; the next one sweeps.
            Err(_) => 1,
        })
        .map_err(Error::step("fork the watcher"))?;
        Ok(Self { watcher })
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        // The run ended by itself, so there is nothing to clean.
        let _ = kill(self.watcher, Signal::SIGKILL);
        let _ = waitpid(self.watcher, None);
    }
}

fn wait_and_clean(run: &OwnedFd, store: &Store, id: &str) -> Result<()> {
    detach().map_err(Error::step("detach the watcher"))?;
    let mut ends = [PollFd::new(run, PollFlags::IN)];
    poll(&mut ends, None).map_err(Error::step("watch the run"))?;
    remove_everything(store, id)?;
    store.remove_scratch(id)
}

/// Out of the terminal's and the process group's reach, holding nothing of the caller's open.
fn detach() -> io::Result<()> {
    setsid()?;
    rustix::thread::set_name(c"opt-janitor")?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for number in 0..3 {
        dup2(std::os::fd::AsRawFd::as_raw_fd(&null), number)?;
    }
    Ok(())
}

/// Removes the containers and scratch directories of runs that are gone without their watcher.
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
pub(super) fn make_up_id() -> Result<String> {
    let run = ProcessId::current().map_err(Error::step("look at this process"))?;
    Ok(format!("run-{}-{}", run.pid, run.start_time))
}

fn made_up_by(id: &str) -> Option<ProcessId> {
    let (pid, start_time) = id.strip_prefix("run-")?.split_once('-')?;
    Some(ProcessId {
        pid: pid.parse().ok()?,
        start_time: start_time.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_id_names_its_run() {
        let us = ProcessId::current().unwrap();
        assert_eq!(made_up_by(&make_up_id().unwrap()), Some(us));
        for other in ["web", "run-", "run-1", "run-x-2", "run-1-2-3"] {
            assert_eq!(made_up_by(other), None, "{other}");
        }
    }
}
