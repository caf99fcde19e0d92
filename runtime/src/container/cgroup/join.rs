//! Putting a process into a container's cgroup.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::super::exec::SubCgroup;
use super::super::snapshot::Snapshot;
use super::super::{Error, Result};
use super::layout::{Hierarchy, Kind};
use super::own::cgroup_of;
use super::placement::{Place, Placement};
use super::tree::PROCESSES;

/// Puts the process `pid` into the cgroup of the container `snapshot`, in every hierarchy where it has one; or
/// into those of `below` it.
///
/// Before the process makes or enters a cgroup namespace, whose root is the cgroup that it is in then. The
/// kernel takes some milliseconds for the first hierarchy and next to nothing for the others.
///
/// # Errors
/// Where the container's cgroup is gone, the process can't be put into it, or one below it isn't there.
pub(in crate::container) fn join(snapshot: &Snapshot, pid: i32, below: &[SubCgroup]) -> Result<()> {
    let places = snapshot.cgroup.places();
    all_are_there(below, places)?;
    for place in places {
        if let Some(sub) = below.iter().find(|sub| is_meant(sub, place)) {
            let directory = place.directory.join(&sub.path);
            put(&directory, pid).map_err(Error::io("join cgroup", directory))?;
            continue;
        }
        match put(&place.directory, pid) {
            // With controllers enabled below it, a cgroup of version 2 holds no processes itself: the
            // container has made itself a tree. The first process shows where they are kept now.
            Err(error) if place.kind == Kind::Unified && is_inner(&error) => {
                join_first(snapshot, place, pid)?;
            }
            other => other.map_err(Error::io("join cgroup", &place.directory))?,
        }
    }
    Ok(())
}

impl Placement {
    /// Puts the first process `pid` into it; where it `is_born` there, in version 2, into the others.
    ///
    /// # Errors
    /// Where it can't be put into one of the directories.
    pub(in crate::container) fn enter(&self, pid: i32, is_born: bool) -> Result<()> {
        let left = |place: &&Place| !(is_born && place.kind == Kind::Unified);
        self.places().iter().filter(left).try_for_each(|place| {
            put(&place.directory, pid).map_err(Error::io("join cgroup", &place.directory))
        })
    }

    /// The directory to be born in, which spares the kernel moving the process: some milliseconds. Only where
    /// version 2 is all there is: moving in one hierarchy of version 1 costs as much as in all.
    ///
    /// # Errors
    /// Where it can't be opened.
    pub(in crate::container) fn birthplace(&self) -> Result<Option<File>> {
        let place = self
            .unified()
            .filter(|_| self.is_unified() && self.unit().is_none());
        let open = |place: &Place| {
            File::open(&place.directory).map_err(Error::io("open cgroup", &place.directory))
        };
        place.map(open).transpose()
    }
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
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(directory.join(PROCESSES))?;
    // One write: the kernel reads one pid from each.
    file.write_all(pid.to_string().as_bytes())
}

/// What cgroups(7) says of "no internal processes" and of threaded cgroups.
fn is_inner(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EOPNOTSUPP))
}

/// Puts `pid` where the container's first process is.
fn join_first(snapshot: &Snapshot, place: &Place, pid: i32) -> Result<()> {
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
    put(&directory, pid).map_err(Error::io("join cgroup", directory))
}
