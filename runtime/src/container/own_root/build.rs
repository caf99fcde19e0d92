//! The root file system with all that is mounted in it, and the move there.

use std::os::fd::OwnedFd;
use std::path::Path;

use libcontainer::oci_spec::runtime::Mount;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::sethostname;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, mkdirat, open, openat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::process::{fchdir, pivot_root};
use rustix::system::setdomainname;

use super::{OwnRoot, devices, is_own_proc, protect, source};
use crate::below::{open_below, open_in_root};
use crate::container::first_process::{describe, loopback};
use crate::container::prepare::{move_to, set_attributes};
use crate::container::{Error, Result};
use crate::preflight;
use crate::sys::{MountAttr, mount_setattr};

impl OwnRoot {
    /// Makes the namespaces but the cgroup namespace, in this process, which is in its user and its pid namespace already:
    /// what takes longest of all, and can be done while its cgroup is being made.
    ///
    /// # Errors
    /// The step that failed.
    pub(in crate::container) fn enter_namespaces(&self) -> Result<()> {
        enter_new(self.namespaces - CloneFlags::CLONE_NEWCGROUP)?;
        self.set_up_others()
    }

    /// Makes all the rest, in this process, which is in its cgroup, too; moves there.
    ///
    /// # Errors
    /// The step that failed.
    pub(in crate::container) fn make(&self) -> Result<()> {
        // Its root is the cgroup that the process is in now.
        enter_new(self.namespaces & CloneFlags::CLONE_NEWCGROUP)?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | self.propagation, none).map_err(Error::step(
            "keep mounts to the container's mount namespace",
        ))?;
        let root = self.mount_root()?;
        let mut proc = None;
        for mount in &self.mounts {
            let tree = attach(&root, mount).map_err(|errno| Error::Refused {
                what: describe(mount),
                source: errno.into(),
            })?;
            if is_own_proc(mount) {
                proc = Some(tree);
            }
        }
        devices::make(&root, &self.devices, self.binds_devices)?;
        self.finish_root(&root)?;
        enter(&root).map_err(Error::step("move to the container's root"))?;
        protect::set_parameters(proc.as_ref(), &self.parameters)?;
        protect::make_read_only(&self.read_only_paths)?;
        protect::mask(&root, &self.masked_paths)
    }

    /// What isn't of the root: the network's loopback interface, which the kernel makes and leaves down, and the names.
    fn set_up_others(&self) -> Result<()> {
        if self.has_network() {
            loopback::bring_up_ours()?;
        }
        if let Some(name) = &self.host_name {
            sethostname(name).map_err(Error::step("set the host name"))?;
        }
        if let Some(name) = &self.domain_name {
            setdomainname(name.as_bytes()).map_err(Error::step("set the domain name"))?;
        }
        Ok(())
    }

    /// Mounts the root file system on itself: only a mount can become the root.
    fn mount_root(&self) -> Result<OwnedFd> {
        let failed =
            |errno: Errno| Error::io("mount the root file system", &self.rootfs)(errno.into());
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        let root = open_tree(CWD, &self.rootfs, flags).map_err(failed)?;
        if self.is_held {
            let attr = MountAttr {
                set: libc::MOUNT_ATTR_NOSYMFOLLOW,
                ..MountAttr::default()
            };
            mount_setattr(&root, attr, false)
                .map_err(Error::io("have no link followed in", &self.rootfs))?;
        }
        move_to(&root, CWD, &self.rootfs).map_err(failed)?;
        Ok(root)
    }

    /// Links are followed again, now that nothing is made any more by following them; the root may be read-only.
    fn finish_root(&self, root: &OwnedFd) -> Result<()> {
        let set = |attr: MountAttr| {
            set_attributes(root, attr, false)
                .map_err(Error::io("set the attributes of", &self.rootfs))
        };
        let mut attr = MountAttr::default();
        if self.is_held {
            attr.clear = libc::MOUNT_ATTR_NOSYMFOLLOW;
        }
        if let Some(spec) = &self.working_directory {
            set(std::mem::take(&mut attr))?;
            preflight::make_working_directory(&self.rootfs, spec)?;
        }
        if self.is_read_only {
            attr.set = libc::MOUNT_ATTR_RDONLY;
        }
        set(attr)
    }
}

fn enter_new(namespaces: CloneFlags) -> Result<()> {
    if namespaces.is_empty() {
        return Ok(());
    }
    unshare(namespaces).map_err(Error::step("make the container's namespaces"))
}

/// Makes `mount` and attaches it where it belongs below `root`.
fn attach(root: &OwnedFd, mount: &Mount) -> rustix::io::Result<OwnedFd> {
    let tree = source::open(mount)?;
    let target = target_in(root, mount.destination(), &tree)?;
    move_to(&tree, &target, Path::new(""))?;
    Ok(tree)
}

/// The place for `tree`, made where there is nothing: a directory for a directory, an empty file for anything else.
fn target_in(root: &OwnedFd, path: &Path, tree: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    match open_in_root(root, path, OFlags::empty()) {
        Err(Errno::NOENT) => {}
        other => return other,
    }
    if FileType::from_raw_mode(fstat(tree)?.st_mode) == FileType::Directory {
        return made_in(root, path);
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::INVAL);
    };
    let parent = made_in(root, parent)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(&parent, name, flags, Mode::from_raw_mode(0o644))?;
    open_below(&parent, Path::new(name), OFlags::empty())
}

/// The directory `path` as the container finds it, with those above it: made where it is absent, and never through a
/// link that leads to nothing.
///
/// # Errors
/// Where it can't be opened or made.
pub(super) fn made_in(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    match open_in_root(root, path, OFlags::DIRECTORY) {
        Err(Errno::NOENT) => {}
        other => return other,
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::NOENT);
    };
    let parent = made_in(root, parent)?;
    match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => open_below(&parent, Path::new(name), OFlags::DIRECTORY),
        Err(errno) => Err(errno),
    }
}

/// Moves to `root`, and takes the old one away: it is on top of the new one then, where `.` leads.
fn enter(root: &OwnedFd) -> std::io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let old = open("/", flags, Mode::empty())?;
    fchdir(root)?;
    pivot_root(".", ".")?;
    fchdir(&old)?;
    let none = None::<&str>;
    // What is unmounted here stays mounted on the host.
    mount(none, ".", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(rustix::process::chdir("/")?)
}
