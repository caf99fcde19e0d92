//! Putting a process into a container's cgroup.

use std::fs::File;
use std::io;
use std::path::Path;

use super::super::exec::SubCgroup;
use super::super::snapshot::Snapshot;
use super::super::{Error, Result};
use super::layout::{Hierarchy, Kind};
use super::own::cgroup_of;
use super::placement::{Place, Placement};
use super::tree::PROCESSES;
use crate::kernel_file;

/// Puts this process into the cgroup of the container `snapshot`, in every hierarchy where it has one; or
/// into those of `below` it. Where it `is_born` there, in version 2, into the others.
///
/// Before the process makes or enters a cgroup namespace, whose root is the cgroup that it is in then.
///
/// # Errors
/// Where the container's cgroup is gone, the process can't be put into it, or one below it isn't there.
pub(in crate::container) fn join(
    snapshot: &Snapshot,
    is_born: bool,
    below: &[SubCgroup],
) -> Result<()> {
    let places = snapshot.cgroup.places();
    all_are_there(below, places)?;
    for place in places.iter().filter(|place| is_left(place, is_born)) {
        if let Some(sub) = below.iter().find(|sub| is_meant(sub, place)) {
            let directory = place.directory.join(&sub.path);
            put_self(&place.kind, &directory).map_err(Error::io("join cgroup", directory))?;
            continue;
        }
        match put_self(&place.kind, &place.directory) {
            // With controllers enabled below it, a cgroup of version 2 holds no processes itself: the
            // container has made itself a tree. The first process shows where they are kept now.
            Err(error) if place.kind == Kind::Unified && is_inner(&error) => {
                join_first(snapshot, place)?;
            }
            other => other.map_err(Error::io("join cgroup", &place.directory))?,
        }
    }
    Ok(())
}

impl Placement {
    /// Puts this process into it; where it `is_born` there, in version 2, into the others.
    ///
    /// # Errors
    /// Where it can't be put into one of the directories.
    pub(in crate::container) fn enter(&self, is_born: bool) -> Result<()> {
        let mut left = self.places().iter().filter(|place| is_left(place, is_born));
        left.try_for_each(|place| {
            put_self(&place.kind, &place.directory)
                .map_err(Error::io("join cgroup", &place.directory))
        })
    }

    /// Puts the process `pid` into it.
    ///
    /// # Errors
    /// Where it can't be put into one of the directories.
    pub(in crate::container) fn put_in(&self, pid: i32) -> Result<()> {
        self.places().iter().try_for_each(|place| {
            put(&place.directory, pid).map_err(Error::io("join cgroup", &place.directory))
        })
    }

    /// The directory to be born in, which spares the kernel moving the process: some milliseconds.
    ///
    /// # Errors
    /// Where it can't be opened.
    pub(in crate::container) fn birthplace(&self) -> Result<Option<File>> {
        let open = |place: &Place| {
            File::open(&place.directory).map_err(Error::io("open cgroup", &place.directory))
        };
        self.unified().map(open).transpose()
    }
}

fn is_left(place: &Place, is_born: bool) -> bool {
    !(is_born && place.kind == Kind::Unified)
}

/// Refuses a cgroup that would be in no hierarchy: the process would run without what was asked for.
fn all_are_there(below: &[SubCgroup], places: &[Place]) -> Result<()> {
    let none = |what: String| Err(Error::Argument(format!("--cgroup: {what}")));
    if places.is_empty() && !below.is_empty() {
        return none("the container has no cgroup".to_owned());
    }
    for name in below.iter().flat_map(|sub| &sub.controllers) {
        if !places.iter().any(|place| holds(place, name)) {
            return none(format!(
                "no hierarchy of cgroup v1 holds the controller \"{name}\""
            ));
        }
    }
    Ok(())
}

fn is_meant(sub: &SubCgroup, place: &Place) -> bool {
    sub.controllers.is_empty() || sub.controllers.iter().any(|name| holds(place, name))
}

fn holds(place: &Place, name: &str) -> bool {
    match &place.kind {
        Kind::Controllers(controllers) => controllers.iter().any(|other| other == name),
        Kind::Named(other) => name.strip_prefix("name=") == Some(other),
        Kind::Unified => false,
    }
}

/// Writes `pid` into the list of processes in `directory`.
pub(super) fn put(directory: &Path, pid: i32) -> io::Result<()> {
    kernel_file::write(directory.join(PROCESSES), &pid.to_string())
}

/// Puts this process, which has one thread, into `directory`.
///
/// With a 0 in `tasks`, which version 1 has, the kernel needn't stop all forks of the machine, for which it waits
/// some milliseconds (`cgroup_procs_write_start` in its kernel/cgroup/cgroup.c).
fn put_self(kind: &Kind, directory: &Path) -> io::Result<()> {
    let list = match kind {
        Kind::Unified => PROCESSES,
        Kind::Controllers(_) | Kind::Named(_) => "tasks",
    };
    kernel_file::write(directory.join(list), "0")
}

/// What cgroups(7) says of "no internal processes" and of threaded cgroups.
fn is_inner(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EOPNOTSUPP))
}

/// Puts this process where the container's first one is.
fn join_first(snapshot: &Snapshot, place: &Place) -> Result<()> {
    let gone = || io::Error::from_raw_os_error(libc::ESRCH);
    let first = snapshot
        .process
        .ok_or_else(gone)
        .map_err(Error::step("find the container's cgroup"))?;
    let hierarchy = Hierarchy {
        kind: place.kind.clone(),
        mount_point: place.mount_point.clone(),
        root: "/".into(),
    };
    let directory = hierarchy.directory(&cgroup_of(&first.pid.to_string(), &hierarchy)?);
    put_self(&place.kind, &directory).map_err(Error::io("join cgroup", directory))
}
