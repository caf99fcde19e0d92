//! A cgroup's directory and those below it: who is in them, and taking them away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::{Error, Result};
use crate::kernel_file;

/// The processes of a cgroup, one a line.
pub(super) const PROCESSES: &str = "cgroup.procs";

/// The processes in `directory` and below it, those below first; none where it doesn't exist.
///
/// # Errors
/// Where a list of processes can't be read.
pub(super) fn processes(directory: &Path) -> Result<Vec<i32>> {
    let mut all = vec![];
    for child in children(directory) {
        all.extend(processes(&child)?);
    }
    let path = directory.join(PROCESSES);
    let text = match kernel_file::read(&path) {
        Ok(text) => text,
        Err(error) if is_gone(&error) => return Ok(all),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    // A pid of 0 is a process that this pid namespace can't see.
    let pids = text.lines().filter_map(|line| line.parse().ok());
    all.extend(pids.filter(|pid: &i32| *pid > 0));
    Ok(all)
}

/// Sends `signal` to every process in `directory` and below it.
///
/// # Errors
/// Where a list of processes can't be read.
pub(super) fn signal_all(directory: &Path, signal: Signal) -> Result<()> {
    for pid in processes(directory)? {
        // Gone in the meantime is as good.
        let _ = kill(Pid::from_raw(pid), signal);
    }
    Ok(())
}

/// Whether there is a process in `directory` or below it, even one that this pid namespace can't see.
pub(super) fn is_populated(directory: &Path) -> bool {
    let here = kernel_file::read(directory.join(PROCESSES));
    here.is_ok_and(|pids| !pids.trim().is_empty())
        || children(directory).iter().any(|child| is_populated(child))
}

/// Whether what enters `directory` stops there: it is frozen, or one above it.
pub(super) fn is_frozen(directory: &Path) -> bool {
    let says = |file: &str| kernel_file::read(directory.join(file)).unwrap_or_default();
    let v1 = says("freezer.state");
    !v1.is_empty() && v1.trim() != "THAWED"
        || says("cgroup.events").lines().any(|line| line == "frozen 1")
        || says("cgroup.freeze").trim() == "1"
}

/// Removes `directory` and those below it; absent is fine.
///
/// # Errors
/// `EBUSY` where a process is left in one of them.
pub(super) fn remove(directory: &Path) -> io::Result<()> {
    // Most have none below them: asking which there are costs more than the attempt.
    if remove_one(directory).is_ok() {
        return Ok(());
    }
    for child in children(directory) {
        remove(&child)?;
    }
    remove_one(directory)
}

/// Removes `directory`, unless a process or a cgroup is left in it; absent is fine.
///
/// # Errors
/// `EBUSY` where one is.
pub(super) fn remove_one(directory: &Path) -> io::Result<()> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// Whether a cgroup file is missing because its cgroup is being removed.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}
