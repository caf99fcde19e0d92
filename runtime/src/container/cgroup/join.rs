//! Putting a process into a container's cgroup.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::snapshot::Snapshot;
use super::super::{Error, Result};
use super::layout::{Hierarchy, Kind, Layout};
use super::tree::PROCESSES;

/// Puts the process `pid` into the cgroup of the container `snapshot`, in every hierarchy where it has one.
///
/// Before the process makes or enters a cgroup namespace, whose root is the cgroup that it is in then. The
/// kernel takes some milliseconds for the first hierarchy and next to nothing for the others.
///
/// # Errors
/// Where the container's cgroup is gone, or the process can't be put into it.
// For `exec`, which comes next.
#[allow(dead_code)]
pub(in crate::container) fn join(snapshot: &Snapshot, pid: i32) -> Result<()> {
    for hierarchy in Layout::read()?.hierarchies() {
        let directory = hierarchy.directory(&snapshot.cgroup);
        if !directory.is_dir() {
            continue;
        }
        match put(&directory, pid) {
            // With controllers enabled below it, a cgroup of version 2 holds no processes itself: the
            // container has made itself a tree. The first process shows where they are kept now.
            Err(error) if hierarchy.kind == Kind::Unified && is_inner(&error) => {
                let current = current(snapshot, hierarchy)?;
                put(&current, pid).map_err(Error::io("join cgroup", current))?;
            }
            other => other.map_err(Error::io("join cgroup", directory))?,
        }
    }
    Ok(())
}

/// Writes `pid` into the list of processes in `directory`.
pub(super) fn put(directory: &Path, pid: i32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(directory.join(PROCESSES))?;
    // One write: the kernel reads one pid from each.
    io::Write::write_all(&mut file, pid.to_string().as_bytes())
}

/// What cgroups(7) says of "no internal processes" and of threaded cgroups.
fn is_inner(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EBUSY | libc::EOPNOTSUPP | libc::ENOENT)
    )
}

/// The cgroup of version 2 in which the container's first process is.
fn current(snapshot: &Snapshot, hierarchy: &Hierarchy) -> Result<PathBuf> {
    let gone = || io::Error::from_raw_os_error(libc::ESRCH);
    let process = snapshot
        .process
        .ok_or_else(gone)
        .map_err(Error::step("find the container's cgroup"))?;
    let path = format!("/proc/{}/cgroup", process.pid);
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let cgroup = text
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .ok_or_else(gone)
        .map_err(Error::io("find the container's cgroup in", &path))?;
    let cgroup = Path::new(cgroup);
    Ok(hierarchy.directory(cgroup.strip_prefix(&hierarchy.root).unwrap_or(cgroup)))
}
