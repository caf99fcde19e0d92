//! A container that moves to its root without pivot_root(2) keeps the old root below the new one. No path leads there,
//! but the kernel finds the host's procfs and sysfs in it: where these are seen whole, it lets whoever makes a user
//! namespace in the container mount others, without the masks of the container's own (mount_too_revealing of the
//! kernel's fs/namespace.c). So they go first, as with runc and crun.

use std::path::{Path, PathBuf};

use bundles::promise::{MountPoint, parse_mountinfo};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::super::mount_namespace::inside;
use super::super::{Error, Result};
use crate::kernel_file;

/// Takes them away in the mount namespace of the process `pid`, or covers those that can't be.
///
/// # Errors
/// Where one stays to be seen.
pub(super) fn hide_kernel_file_systems(pid: i32, rootfs: &Path) -> Result<()> {
    let path = format!("/proc/{pid}/mountinfo");
    let text = kernel_file::read(&path).map_err(Error::io("read", &path))?;
    let mounts = parse_mountinfo(&text).map_err(|error| Error::Io {
        operation: "read",
        path: path.into(),
        source: std::io::Error::other(error),
    })?;
    let seen: Vec<&MountPoint> = mounts
        .iter()
        .filter(|mount| is_seen(mount, rootfs))
        .collect();
    inside(pid, || {
        // The last is on top.
        seen.iter().rev().try_for_each(|mount| {
            hide(&mount.path, parent_of(&mount.path, &mounts))
                .map_err(|errno| Error::io("hide", &mount.path)(errno.into()))
        })
    })
}

fn is_seen(mount: &MountPoint, rootfs: &Path) -> bool {
    matches!(mount.file_system.as_str(), "proc" | "sysfs") && !mount.path.starts_with(rootfs)
}

/// The mount point on whose mount `path` is one.
fn parent_of(path: &Path, mounts: &[MountPoint]) -> PathBuf {
    let above = |mount: &&MountPoint| path != mount.path && path.starts_with(&mount.path);
    let nearest = mounts
        .iter()
        .filter(above)
        .max_by_key(|mount| mount.path.as_os_str().len());
    nearest.map_or_else(|| "/".into(), |mount| mount.path.clone())
}

fn hide(path: &Path, parent: PathBuf) -> nix::Result<()> {
    let none = None::<&str>;
    // Where the bundle wants a shared root, the host must not lose its own.
    mount(none, &parent, none, MsFlags::MS_SLAVE, none)?;
    umount2(path, MntFlags::MNT_DETACH).or_else(|_| {
        // One that came with the user namespace is locked.
        let flags =
            MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("tmpfs"), path, Some("tmpfs"), flags, none)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_of_the_root_is_seen() {
        let mounts = parse_mountinfo(
            "1 0 0:1 / / rw - ext4 d rw\n2 1 0:2 / /proc rw - proc proc rw\n\
             3 2 0:3 / /proc/sys/fs/binfmt_misc rw - binfmt_misc b rw\n4 1 0:4 / /sys rw - sysfs s rw\n\
             5 1 0:1 /b/rootfs /b/rootfs rw - ext4 d rw\n6 5 0:2 / /b/rootfs/proc rw - proc proc rw\n",
        )
        .unwrap();
        let seen: Vec<&Path> = mounts
            .iter()
            .filter(|mount| is_seen(mount, Path::new("/b/rootfs")))
            .map(|mount| mount.path.as_path())
            .collect();
        assert_eq!(seen, [Path::new("/proc"), Path::new("/sys")]);
        assert_eq!(parent_of(Path::new("/sys"), &mounts), Path::new("/"));
        assert_eq!(
            parent_of(Path::new("/b/rootfs/proc"), &mounts),
            Path::new("/b/rootfs")
        );
    }
}
