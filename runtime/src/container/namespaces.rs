//! Which namespaces a spec asks for, and which a process has.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use nix::sched::CloneFlags;
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Spec};

use super::{Error, Result};

/// All kinds by their names in `/proc/PID/ns`, with their flags of setns(2).
const ALL: [(&str, CloneFlags); 8] = [
    ("cgroup", CloneFlags::CLONE_NEWCGROUP),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("mnt", CloneFlags::CLONE_NEWNS),
    ("net", CloneFlags::CLONE_NEWNET),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("time", CloneFlags::from_bits_retain(libc::CLONE_NEWTIME)),
    ("user", CloneFlags::CLONE_NEWUSER),
    ("uts", CloneFlags::CLONE_NEWUTS),
];

/// Whether `spec` lists a namespace of this type, new or joined by path.
pub(super) fn is_listed(spec: &Spec, typ: LinuxNamespaceType) -> bool {
    listed(spec, typ).next().is_some()
}

/// Whether `spec` asks for a new namespace of this type.
pub(super) fn is_new(spec: &Spec, typ: LinuxNamespaceType) -> bool {
    listed(spec, typ).any(|namespace| namespace.path().is_none())
}

fn listed(spec: &Spec, typ: LinuxNamespaceType) -> impl Iterator<Item = &LinuxNamespace> {
    spec.linux()
        .as_ref()
        .and_then(|linux| linux.namespaces().as_ref())
        .into_iter()
        .flatten()
        .filter(move |namespace| namespace.typ() == typ)
}

/// Whether this process is in the namespace of the process `pid` that is called `name` in `/proc/PID/ns`.
///
/// # Errors
/// Where the process is gone or may not be looked at.
pub(super) fn is_ours(pid: i32, name: &str) -> Result<bool> {
    let theirs = format!("/proc/{pid}/ns/{name}");
    let ours = format!("/proc/self/ns/{name}");
    match (identity(&theirs), identity(&ours)) {
        (Ok(theirs), Ok(ours)) => Ok(theirs == ours),
        // A kernel without this kind of namespace.
        (Err(error), Err(_)) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        (Err(error), _) => Err(Error::io("open", theirs)(error)),
        (_, Err(error)) => Err(Error::io("open", ours)(error)),
    }
}

/// The namespaces of the process `pid` that are not this one's. Others can't be entered without privileges, and
/// needn't be.
///
/// # Errors
/// As [`is_ours`].
pub(super) fn unlike_ours(pid: i32) -> Result<CloneFlags> {
    let mut others = CloneFlags::empty();
    for (name, flag) in ALL {
        if !is_ours(pid, name)? {
            others |= flag;
        }
    }
    Ok(others)
}

fn identity(path: &str) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}
