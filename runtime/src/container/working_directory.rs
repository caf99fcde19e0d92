//! A working directory below a mount: made as runc does where it isn't there, and entered by its user where nobody
//! else may.
//!
//! Below the root file system the look at it before makes the directory (`preflight`). What is mounted can
//! be seen only when it is mounted, and libcontainer enters the directory before it gives us any say. But it
//! asks for the hooks of `create` between the two, and does so for none, too, if there is a list of them.

use std::io;
use std::path::{Path, PathBuf};

use bundles::promise::is_bind;
use oci_spec::runtime::{Hooks, Spec};

use nix::unistd::chdir;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::process::getcwd;

use super::Result;
use super::mount_namespace::as_its_root;
use crate::preflight;

/// Whether the working directory may have to be made when the mounts are there: it is below one of them.
pub(super) fn is_below_mount(spec: &Spec) -> bool {
    let Some(process) = spec.process() else {
        return false;
    };
    let cwd = process.cwd();
    let mut places = spec.mounts().iter().flatten();
    places.any(|mount| cwd.starts_with(mount.destination()) && cwd != mount.destination())
}

/// Has libcontainer ask for hooks though `spec` has none.
pub(super) fn ask_for_hooks(spec: &mut Spec) {
    if spec.hooks().is_none() {
        spec.set_hooks(Some(Hooks::default()));
    }
}

/// Makes it in the mount namespace of the first process, which is still outside of its root file system. It
/// belongs to the container's root.
///
/// # Errors
/// Where the directory can't be made.
pub(super) fn make(first: i32, rootfs: &Path, spec: &Spec) -> Result<()> {
    as_its_root(first, || preflight::make_working_directory(rootfs, spec))
}

/// Takes the working directory out of `spec` where root can't enter it, as in a home directory on NFS or FUSE: those
/// refuse root and not the user, and libcontainer enters as root.
pub(super) fn take_the_users_alone(spec: &mut Spec) -> Option<PathBuf> {
    let cwd = spec.process().as_ref()?.cwd().clone();
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    let mount = mounts
        .iter()
        .rfind(|mount| cwd.starts_with(mount.destination()))?;
    if !is_bind(mount) {
        return None;
    }
    let below = cwd.strip_prefix(mount.destination()).ok()?;
    let outside = mount.source().as_ref()?.join(below);
    match accessat(CWD, &outside, Access::EXEC_OK, AtFlags::EACCESS) {
        Err(Errno::ACCESS) => {
            spec.process_mut().as_mut()?.set_cwd("/".into());
            Some(cwd)
        }
        _ => None,
    }
}

/// Enters `cwd`, unless the process `is_there` already.
///
/// A directory that has no path from the root is one of the host's, reached through a descriptor that was left open
/// somewhere (CVE-2024-21626).
///
/// # Errors
/// Those of chdir(2), and where it is not in the container.
pub(super) fn enter(cwd: &Path, is_there: bool) -> io::Result<()> {
    if !is_there {
        chdir(cwd)?;
    }
    let outside = || io::Error::other("it is not in the container");
    let path = getcwd(vec![]).map_err(|_| outside())?;
    if path.to_bytes().starts_with(b"/") {
        return Ok(());
    }
    Err(outside())
}
