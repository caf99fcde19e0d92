//! File systems: for state, for mapped mounts, in layers, by programs.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use rustix::fs::{CWD, StatVfsMountFlags, statvfs};
use rustix::mount::{OpenTreeFlags, open_tree};
use std::os::fd::AsRawFd;

use super::{Asked, Finding, program, text};
use crate::sys::{MountAttr, mount_setattr, user_namespace};

pub(super) fn state_directory(asked: &Asked) -> Finding {
    const NAME: &str = "state directory";
    let there = existing(&asked.state);
    let shown = asked.state.display();
    let is_read_only =
        statvfs(&there).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY));
    let finding = if is_read_only || access(&there, AccessFlags::W_OK).is_err() {
        let found = format!("{shown}: {} can't be written", there.display());
        Finding::missing(NAME, found, "--root with another directory")
    } else {
        Finding::ok(NAME, format!("{shown}"))
    };
    finding.essential()
}

/// The first of `path` and what is above it that exists.
fn existing(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let found = path.ancestors().find(|path| path.exists());
    found.unwrap_or(Path::new("/")).to_path_buf()
}

pub(super) fn mapped_mounts(asked: &Asked) -> Finding {
    const NAME: &str = "mapped mounts";
    let shown = asked.directory.display();
    match try_mapping(&asked.directory) {
        Ok(()) => Finding::ok(NAME, format!("of {shown}")),
        Err(error) => {
            let found =
                format!("not of {shown}: {error}; Opt-Server projects and uidMappings there fail");
            let remedy = "ext4, xfs or btrfs, or tmpfs from Linux 6.3; and root";
            Finding::limited(NAME, found, remedy)
        }
    }
}

/// On a mount that nobody else sees, and that is gone when it is closed.
fn try_mapping(directory: &Path) -> std::io::Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(CWD, directory, flags)?;
    let map = "0 100000 1";
    let namespace = user_namespace(map, map)?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_IDMAP,
        user_namespace: u64::try_from(namespace.as_raw_fd()).unwrap_or_default(),
        ..MountAttr::default()
    };
    mount_setattr(&mount, attr, false)
}

/// In the kernel, or as a module that it can load.
pub(super) fn has(file_system: &str) -> bool {
    let known = text("/proc/filesystems");
    let is_known = known.split_whitespace().any(|name| name == file_system);
    let release = text("/proc/sys/kernel/osrelease");
    let modules = Path::new("/lib/modules")
        .join(release.trim())
        .join("modules.dep");
    is_known || text(modules).contains(&format!("/{file_system}.ko"))
}

pub(super) fn overlay(_: &Asked) -> Finding {
    const NAME: &str = "overlay";
    if has("overlay") {
        return Finding::ok(NAME, "there: engines keep images in layers");
    }
    let found = "not there: engines copy images whole";
    Finding::limited(NAME, found, "a kernel built with CONFIG_OVERLAY_FS")
}

pub(super) fn fuse(_: &Asked) -> Finding {
    const NAME: &str = "FUSE";
    let device = Path::new("/dev/fuse");
    if !device.exists() {
        let found = "no /dev/fuse: nothing can be mounted by programs";
        return Finding::missing(NAME, found, "modprobe fuse");
    }
    if access(device, AccessFlags::R_OK | AccessFlags::W_OK).is_err() {
        return Finding::limited(NAME, "/dev/fuse can't be opened", "chmod 0666 /dev/fuse");
    }
    match program("fusermount3").or_else(|| program("fusermount")) {
        Some(path) => Finding::ok(NAME, format!("/dev/fuse, {}", path.display())),
        None => {
            let found = "/dev/fuse; no fusermount3: ordinary users mount in user namespaces only";
            Finding::limited(NAME, found, "apt-get install fuse3")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_directory_that_exists_counts() {
        assert_eq!(existing(Path::new("/proc/no/such/one")), Path::new("/proc"));
        assert_eq!(existing(Path::new("/no-such")), Path::new("/"));
        assert_eq!(existing(Path::new("/proc")), Path::new("/proc"));
    }
}
