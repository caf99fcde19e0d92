//! What libcontainer can't express, put right in the created process's mount namespace before start.

use std::fs::File;
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns};
use rustix::fs::{Mode, OFlags, open};

use super::{Error, Result};
use crate::sys::{MountAttr, mount_setattr};

/// Sets nosuid on every mount of the created process `pid`: the root, masked paths and devices that
/// libcontainer mounts have none, and the OCI spec has no words for them.
///
/// # Errors
/// Where the namespace can't be entered or changed. The caller is in its own mount namespace again.
pub(super) fn finish(pid: i32) -> Result<()> {
    let own = File::open("/proc/self/ns/mnt").map_err(Error::io("open", "/proc/self/ns/mnt"))?;
    let path = PathBuf::from(format!("/proc/{pid}/ns/mnt"));
    let theirs = File::open(&path).map_err(Error::io("open", &path))?;
    setns(&theirs, CloneFlags::CLONE_NEWNS)
        .map_err(Error::step("enter the container's mount namespace"))?;
    let finished = forbid_setuid();
    setns(&own, CloneFlags::CLONE_NEWNS)
        .map_err(Error::step("return from the container's mount namespace"))?;
    finished
}

/// After setns(2), `/` is the namespace's own root: the container's.
fn forbid_setuid() -> Result<()> {
    let root = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(Error::step("open the container's root"))?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_NOSUID,
        ..MountAttr::default()
    };
    mount_setattr(root, attr, true).map_err(Error::step("set nosuid on every mount"))
}
