//! A root file system in which no link leads libcontainer astray.
//!
//! libcontainer makes devices and links by path, before it moves to the new root. Somebody who can write to the root file
//! system meanwhile, another container of the same one, could exchange its `/dev` for a link, and root would make them
//! where it leads on the host (CVE-2026-41579 as a race). So the root file system is one in which the kernel follows no
//! link (`MOUNT_ATTR_NOSYMFOLLOW`, Linux 5.10) until all is made: where mounts belong was found out before.

use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::{LinuxNamespaceType, Spec};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags, open, statx};
use rustix::mount::{OpenTreeFlags, open_tree};

use super::mount_namespace::inside;
use super::prepare::attach;
use super::{Error, Result, namespaces};
use crate::sys::{MountAttr, mount_setattr};

const NO_LINKS: u64 = libc::MOUNT_ATTR_NOSYMFOLLOW;

/// The root file system while libcontainer is at work in it.
#[derive(Debug)]
pub(super) struct HeldRoot {
    rootfs: PathBuf,
    /// Whether it is a mount of this container's alone by then.
    is_mounted: bool,
}

impl HeldRoot {
    /// The one at `rootfs`; `None` where it can't be held: an ordinary user has no rights that a link could lead astray
    /// but the own, and without a mount namespace of its own nothing can be mounted.
    pub(super) fn plan(spec: &Spec, rootfs: &Path, is_mounted: bool) -> Option<Self> {
        let is_needed = geteuid().is_root() && namespaces::is_new(spec, LinuxNamespaceType::Mount);
        is_needed.then(|| Self {
            rootfs: rootfs.to_path_buf(),
            is_mounted,
        })
    }

    /// Has the kernel follow no link in it, in a mount namespace of this process's own.
    ///
    /// # Errors
    /// The step that failed.
    pub(super) fn hold(&self) -> Result<()> {
        if !self.is_mounted {
            unshare(CloneFlags::CLONE_NEWNS).map_err(Error::step("make a mount namespace"))?;
            keep_to_this_namespace(&self.rootfs)?;
            let flags = OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_RECURSIVE;
            let tree = open_tree(CWD, &self.rootfs, flags).map_err(|errno| {
                Error::io("clone the root file system", &self.rootfs)(errno.into())
            })?;
            attach(&tree, CWD, &self.rootfs)?;
        }
        let attr = MountAttr {
            set: NO_LINKS,
            ..MountAttr::default()
        };
        self.set(attr)
    }

    /// Has links followed again, in the namespace of the process `pid`, where all is made.
    ///
    /// # Errors
    /// The step that failed.
    pub(super) fn release(&self, pid: i32) -> Result<()> {
        let attr = MountAttr {
            clear: NO_LINKS,
            ..MountAttr::default()
        };
        inside(pid, || self.set(attr))
    }

    /// What is on top there now: libcontainer mounts it on itself.
    fn set(&self, attr: MountAttr) -> Result<()> {
        let root = open(&self.rootfs, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let root = root.map_err(|errno| Error::io("open", &self.rootfs)(errno.into()))?;
        mount_setattr(&root, attr, false)
            .map_err(Error::io("set whether links are followed in", &self.rootfs))
    }
}

/// What is mounted at `rootfs` must not appear on the host. What the host mounts there may still come in: where a bundle
/// says nothing else, its root is a slave of the host's.
fn keep_to_this_namespace(rootfs: &Path) -> Result<()> {
    let is_mounted = |path: &&Path| {
        statx(CWD, *path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
            .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    };
    let parent = rootfs.ancestors().find(is_mounted);
    let none = None::<&str>;
    mount(
        none,
        parent.unwrap_or(Path::new("/")),
        none,
        MsFlags::MS_SLAVE,
        none,
    )
    .map_err(Error::step("keep mounts to the mount namespace"))
}
