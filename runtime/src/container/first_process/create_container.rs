//! The hooks called `createContainer`: in the container's namespaces, before it moves to its root.
//!
//! libcontainer would run them in the first process, in whatever directory that has, and tell neither which one
//! failed nor why. Here they have the root file system as their working directory, as with runc.

use std::path::Path;

use libcontainer::container::Container as LibcontainerContainer;
use libcontainer::oci_spec::runtime::Hook;
use nix::sched::CloneFlags;

use super::super::mount_namespace::{become_root, in_child};
use super::super::{Error, Result, hooks};

/// The namespaces of a process: the name in `/proc/PID/ns`, and the flag.
const NAMESPACES: [(&str, CloneFlags); 7] = [
    ("user", CloneFlags::CLONE_NEWUSER),
    ("mnt", CloneFlags::CLONE_NEWNS),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("net", CloneFlags::CLONE_NEWNET),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("cgroup", CloneFlags::CLONE_NEWCGROUP),
];

/// Runs `listed` in the namespaces of the process `pid`.
///
/// # Errors
/// The first that fails; those after it aren't run.
pub(super) fn run(
    listed: &[Hook],
    container: &LibcontainerContainer,
    rootfs: &Path,
    pid: i32,
) -> Result<()> {
    if listed.is_empty() {
        return Ok(());
    }
    let others = namespaces_unlike_ours(pid)?;
    // The pid that it has where the hooks are.
    let state = hooks::state_in_create(container, container.state.pid.unwrap_or(pid));
    in_child(pid, others, || {
        if others.contains(CloneFlags::CLONE_NEWUSER) {
            become_root();
        }
        hooks::run_early(&state, rootfs, "createContainer", listed)
    })
}

/// Others can't be entered without privileges, and needn't be.
fn namespaces_unlike_ours(pid: i32) -> Result<CloneFlags> {
    let mut others = CloneFlags::empty();
    for (name, flag) in NAMESPACES {
        let of = |process: &str| {
            let path = format!("/proc/{process}/ns/{name}");
            std::fs::read_link(&path).map_err(Error::io("read", path))
        };
        if of("self")? != of(&pid.to_string())? {
            others |= flag;
        }
    }
    Ok(others)
}
