//! A user namespace in which the user stays who he is, and may mount.

use std::fs;
use std::io;

use nix::sched::{CloneFlags, unshare};
use runtime::doctor::remedy_for_user_namespaces;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getegid, geteuid};

/// Why there is no such namespace. One line.
#[derive(Debug, thiserror::Error)]
#[error("user namespace: {operation}: {source}; hint: {remedy}")]
pub struct NamespaceError {
    operation: &'static str,
    source: io::Error,
    remedy: String,
}

impl NamespaceError {
    fn new(operation: &'static str, source: io::Error) -> Self {
        let otherwise =
            || "root makes containers with --user; opt-runtime doctor tells more".to_owned();
        Self {
            operation,
            source,
            remedy: remedy_for_user_namespaces().unwrap_or_else(otherwise),
        }
    }
}

/// Moves this process, which must have one thread, into a user namespace and a mount namespace of its own. Its uid and
/// gid stay; others are nobody there.
///
/// # Errors
/// [`NamespaceError`].
pub fn enter_namespace() -> Result<(), NamespaceError> {
    let failed = |operation| move |source| NamespaceError::new(operation, source);
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(|errno| failed("make")(errno.into()))?;
    fs::write("/proc/self/setgroups", "deny").map_err(failed("deny setgroups"))?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).map_err(failed("map the uid"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).map_err(failed("map the gid"))?;
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).map_err(|errno| failed("keep mounts in it")(errno.into()))
}
