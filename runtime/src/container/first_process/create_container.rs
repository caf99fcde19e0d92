//! The hooks called `createContainer`: in the container's namespaces, before it moves to its root.
//!
//! libcontainer would run them in the first process, in whatever directory that has, and tell neither which one
//! failed nor why. Here they have the root file system as their working directory, as with runc.

use std::path::Path;

use libcontainer::container::Container as LibcontainerContainer;
use libcontainer::oci_spec::runtime::Hook;
use nix::sched::CloneFlags;

use super::super::mount_namespace::{become_root, in_child};
use super::super::{Result, hooks, namespaces};

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
    let others = namespaces::unlike_ours(pid)?;
    // The pid that it has where the hooks are.
    let state = hooks::state_in_create(container, container.state.pid.unwrap_or(pid));
    in_child(pid, others, || {
        if others.contains(CloneFlags::CLONE_NEWUSER) {
            become_root();
        }
        hooks::run_early(&state, rootfs, "createContainer", listed)
    })
}
