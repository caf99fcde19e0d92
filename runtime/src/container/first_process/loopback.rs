//! The loopback interface of a new network namespace, which the kernel makes and leaves down.

use std::fs::File;

use nix::sched::{CloneFlags, setns};
use nix::unistd::{Pid, geteuid};
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::super::mount_namespace::in_child;
use super::super::{Error, Result, namespaces};
use crate::sys::bring_up_loopback;

/// Brings it up where the process `pid` has a network namespace of its own, as runc and crun do.
///
/// # Errors
/// Where the namespace can't be entered or the interface not be changed.
pub(super) fn bring_up(spec: &Spec, pid: Pid) -> Result<()> {
    if !namespaces::is_new(spec, LinuxNamespaceType::Network) {
        return Ok(());
    }
    if !geteuid().is_root() {
        // Only with the privileges over the user namespace.
        let namespaces = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUSER;
        return in_child(pid.as_raw(), namespaces, bring_up_ours);
    }
    let own = "/proc/thread-self/ns/net";
    let own = File::open(own).map_err(Error::io("open", own))?;
    // Root of a user namespace, as rootless engines have it, can't come back to the host's network.
    if setns(&own, CloneFlags::CLONE_NEWNET).is_err() {
        return in_child(pid.as_raw(), CloneFlags::CLONE_NEWNET, bring_up_ours);
    }
    let theirs = format!("/proc/{pid}/ns/net");
    let theirs = File::open(&theirs).map_err(Error::io("open", theirs))?;
    setns(theirs, CloneFlags::CLONE_NEWNET)
        .map_err(Error::step("enter the container's network namespace"))?;
    let changed = bring_up_ours();
    setns(own, CloneFlags::CLONE_NEWNET).map_err(Error::step(
        "come back from the container's network namespace",
    ))?;
    changed
}

/// Brings that of this process's own network namespace up.
///
/// # Errors
/// Where it can't be changed.
pub(in crate::container) fn bring_up_ours() -> Result<()> {
    let flags = SocketFlags::CLOEXEC;
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
        .map_err(std::io::Error::from)
        .and_then(bring_up_loopback)
        .map_err(Error::step("bring the loopback interface up"))
}
