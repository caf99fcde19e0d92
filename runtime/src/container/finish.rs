//! What libcontainer can't express, put right in the created process's mount namespace before start.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::{Mount, Spec};
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sched::{CloneFlags, setns};
use rustix::fs::{Mode, OFlags, open};

use super::mount_namespace::WayBack;
use super::{Error, Result};
use crate::below::open_below;
use crate::sys::{MountAttr, mount_setattr};

/// Finishes the mounts of the created process `pid`: what the options of `spec`'s mounts ask for beyond
/// libcontainer, and for a sealed bundle nosuid everywhere
/// and nodev on the root. The root, masked paths and devices that
/// libcontainer mounts have none, and the OCI spec has no words for them.
///
/// # Errors
/// Where the namespace can't be entered or changed. The caller is in its own mount namespace again.
pub(super) fn finish(pid: i32, spec: &Spec, sealed: bool) -> Result<()> {
    let mounts: Vec<&Mount> = spec
        .mounts()
        .iter()
        .flatten()
        .filter(|mount| is_lacking(mount))
        .collect();
    if mounts.is_empty() && !sealed {
        return Ok(());
    }
    let way_back = WayBack::here()?;
    let path = PathBuf::from(format!("/proc/{pid}/ns/mnt"));
    let theirs = File::open(&path).map_err(Error::io("open", &path))?;
    setns(&theirs, CloneFlags::CLONE_NEWNS)
        .map_err(Error::step("enter the container's mount namespace"))?;
    // After setns(2), `/` is the namespace's own root: the container's.
    let finished = mounts
        .into_iter()
        .try_for_each(finish_mount)
        .and_then(|()| if sealed { shut() } else { Ok(()) });
    way_back.go()?;
    finished
}

/// Whether libcontainer leaves something of the mount undone: it ignores all options of a cgroup mount on
/// cgroup v1 (T12, S3), and propagation options and nosymfollow of any (C2, C4).
fn is_lacking(mount: &Mount) -> bool {
    is_cgroup(mount)
        || mount
            .options()
            .iter()
            .flatten()
            .any(|option| option == "nosymfollow" || propagation(option).is_some())
}

fn is_cgroup(mount: &Mount) -> bool {
    mount.typ().as_deref() == Some("cgroup")
}

/// The flag of a propagation option, and whether it holds for what is below as well.
fn propagation(option: &str) -> Option<(MsFlags, bool)> {
    let (name, recursive) = match option.strip_prefix('r') {
        Some(name) => (name, true),
        None => (option, false),
    };
    let flag = match name {
        "shared" => MsFlags::MS_SHARED,
        "slave" => MsFlags::MS_SLAVE,
        "private" => MsFlags::MS_PRIVATE,
        "unbindable" => MsFlags::MS_UNBINDABLE,
        _ => return None,
    };
    Some((flag, recursive))
}

fn finish_mount(mount: &Mount) -> Result<()> {
    let destination = mount.destination();
    let target = open_inside(destination)?;
    let failed = |error| Error::io("finish the mount", destination)(error);
    if is_cgroup(mount) {
        hide_named_hierarchy(destination)?;
        let attr = attributes(mount);
        mount_setattr(&target, attr, true).map_err(failed)?;
    }
    for option in mount.options().iter().flatten() {
        let (attr, recursive) = if option == "nosymfollow" {
            let set = libc::MOUNT_ATTR_NOSYMFOLLOW;
            (
                MountAttr {
                    set,
                    ..MountAttr::default()
                },
                false,
            )
        } else if let Some((flag, recursive)) = propagation(option) {
            let propagation = flag.bits();
            (
                MountAttr {
                    propagation,
                    ..MountAttr::default()
                },
                recursive,
            )
        } else {
            continue;
        };
        mount_setattr(&target, attr, recursive).map_err(failed)?;
    }
    Ok(())
}

fn attributes(mount: &Mount) -> MountAttr {
    let set = mount
        .options()
        .iter()
        .flatten()
        .filter_map(|option| match option.as_str() {
            "ro" => Some(libc::MOUNT_ATTR_RDONLY),
            "nosuid" => Some(libc::MOUNT_ATTR_NOSUID),
            "nodev" => Some(libc::MOUNT_ATTR_NODEV),
            "noexec" => Some(libc::MOUNT_ATTR_NOEXEC),
            _ => None,
        })
        .fold(0, |all, flag| all | flag);
    MountAttr {
        set,
        ..MountAttr::default()
    }
}

/// libcontainer mounts the host's own root of the `name=systemd` hierarchy, writable (S4). The container is
/// in no cgroup there, so there is nothing of its own to see.
fn hide_named_hierarchy(cgroup_mount: &Path) -> Result<()> {
    let path = cgroup_mount.join("systemd");
    match umount2(&path, MntFlags::MNT_DETACH) {
        Ok(()) | Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOENT) => Ok(()),
        Err(errno) => Err(Error::io("unmount", path)(errno.into())),
    }
}

fn open_inside(path: &Path) -> Result<OwnedFd> {
    let root = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(Error::step("open the container's root"))?;
    open_below(root, path, OFlags::empty())
        .map_err(|errno| Error::io("open the mount", path)(errno.into()))
}

/// nosuid everywhere, and nodev on the root itself: a sealed bundle's devices are in a /dev of its own.
fn shut() -> Result<()> {
    let root = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(Error::step("open the container's root"))?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_NOSUID,
        ..MountAttr::default()
    };
    mount_setattr(&root, attr, true).map_err(Error::step("set nosuid on every mount"))?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_NODEV,
        ..MountAttr::default()
    };
    mount_setattr(&root, attr, false).map_err(Error::step("set nodev on the root"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn propagation_options_are_told_from_attributes() {
        assert_eq!(propagation("rslave"), Some((MsFlags::MS_SLAVE, true)));
        assert_eq!(propagation("private"), Some((MsFlags::MS_PRIVATE, false)));
        for other in ["ro", "rro", "rbind", "relatime", "rw", ""] {
            assert_eq!(propagation(other), None, "{other}");
        }
    }
}
