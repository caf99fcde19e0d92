//! Sending signals to a container.

use std::os::fd::AsFd;

use super::process::{self, is_foreign};
use super::signal_number::SignalNumber;
use super::snapshot::{Snapshot, Status};
use super::{Error, Result, members};
use crate::sys::{send_signal, send_signal_to_pid};

/// Sends `signal` to the container's first process, or with `all` to every process of it, even when the first
/// is gone. SIGKILL is always for all where no pid namespace ends with the first process, as with runc: whoever
/// kills a container means all of it. A paused container stays paused and gets it on `resume`, unless it is SIGKILL.
///
/// # Errors
/// [`Error::WrongStatus`] where nothing runs.
pub fn kill(container: &Snapshot, signal: SignalNumber, all: bool) -> Result<()> {
    let has_own_cgroup = !container.cgroup.is_anothers();
    let kills_all = signal == SignalNumber::KILL
        && has_own_cgroup
        && !container.has_pid_namespace
        && !members(container)?.is_empty();
    if all && has_own_cgroup || kills_all {
        container.cgroup.signal_all(signal)?;
    } else {
        let others = if all { members(container)? } else { vec![] };
        signal_first(container, signal)?;
        for pid in others {
            // Gone in the meantime is as good.
            let _ = send_signal_to_pid(pid, signal.0);
        }
    }
    if signal == SignalNumber::KILL {
        container.cgroup.let_killed_go()?;
    }
    Ok(())
}

fn signal_first(container: &Snapshot, signal: SignalNumber) -> Result<()> {
    let status = container.told_status();
    let has_process = matches!(status, Status::Created | Status::Running | Status::Paused);
    let Some(process) = container.process.filter(|_| has_process) else {
        return Err(Error::WrongStatus {
            id: container.id.clone(),
            wanted: "running",
            status,
        });
    };
    if is_foreign(process) {
        return Err(Error::OtherNamespace(container.id.clone()));
    }
    let descriptor = match process::open(process) {
        // It has ended just now: as good as a signal that came in its last moment.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
        other => other.map_err(Error::step("send the signal"))?,
    };
    send_signal(descriptor.as_fd(), signal.0).map_err(Error::step("send the signal"))
}
