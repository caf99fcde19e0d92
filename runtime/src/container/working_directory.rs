//! A working directory below a mount, made as runc does where it isn't there.
//!
//! Below the root file system the look at it before makes the directory (`preflight`). What is mounted can
//! be seen only when it is mounted, and libcontainer enters the directory before it gives us any say. But it
//! asks for the hooks of `create` between the two, and does so for none, too, if there is a list of them.

use std::path::Path;

use oci_spec::runtime::{Hooks, Spec};

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
