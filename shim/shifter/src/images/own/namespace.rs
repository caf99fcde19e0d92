//! A user namespace in which the user stays who he is, and may mount.

use std::fs;
use std::io;
use std::os::fd::AsFd;

use nix::sched::{CloneFlags, setns, unshare};
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
    map_the_user(uid, gid).map_err(|(operation, error)| failed(operation)(error))?;
    keep_mounts().map_err(failed("keep mounts in it"))
}

/// Likewise, into a user namespace like that, which is there already.
///
/// # Errors
/// [`NamespaceError`].
pub fn join_namespace(namespace: impl AsFd) -> Result<(), NamespaceError> {
    let failed = |operation| move |source| NamespaceError::new(operation, source);
    setns(namespace, CloneFlags::CLONE_NEWUSER).map_err(|errno| failed("join")(errno.into()))?;
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| failed("make a mount namespace in it")(errno.into()))?;
    keep_mounts().map_err(failed("keep mounts in it"))
}

/// Makes this process's user, with these ids outside, the same in the new user namespace that it is in. An error comes with
/// the operation that failed.
pub(crate) fn map_the_user(uid: u32, gid: u32) -> Result<(), (&'static str, io::Error)> {
    let write = |operation, path, text: String| {
        fs::write(path, text).map_err(move |error| (operation, error))
    };
    write("deny setgroups", "/proc/self/setgroups", "deny".to_owned())?;
    write(
        "map the uid",
        "/proc/self/uid_map",
        format!("{uid} {uid} 1"),
    )?;
    write(
        "map the gid",
        "/proc/self/gid_map",
        format!("{gid} {gid} 1"),
    )
}

fn keep_mounts() -> io::Result<()> {
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    Ok(mount_change("/", slave)?)
}
