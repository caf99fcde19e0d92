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
        // Only with the privileges over the user namespace, from which there is no way back.
        let both = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
        return in_child(pid.as_raw(), both, change);
    }
    let open = |path: String| File::open(&path).map_err(Error::io("open", path));
    let own = open("/proc/self/ns/net".to_owned())?;
    let theirs = open(format!("/proc/{pid}/ns/net"))?;
    enter(&theirs)?;
    let changed = change();
    enter(&own)?;
    changed
}

fn enter(namespace: &File) -> Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(Error::step("enter a network namespace"))
}

fn change() -> Result<()> {
    let flags = SocketFlags::CLOEXEC;
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
        .map_err(std::io::Error::from)
        .and_then(bring_up_loopback)
        .map_err(Error::step("bring the loopback interface up"))
}
