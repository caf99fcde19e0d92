//! What an earlier container left in a `/dev` that is part of the root file system.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, makedev, open, readlinkat, statat, unlinkat};
use rustix::io::Errno;

use crate::below::open_below;
use crate::container::Error;
use crate::device_nodes::{DEVICES, KCORE, LINKS, PTMX, kind_of, number_of};

/// Takes the devices and links away that are about to be made and that are there already, just as they would be
/// made: whoever makes them knows only an empty `/dev`. Anything else at their places stays, and is refused then.
///
/// # Errors
/// Where the root file system can't be read or written.
pub fn make_room(rootfs: &Path, spec: &Spec) -> Result<(), Error> {
    let covered = |path: &Path| {
        let mut mounts = spec.mounts().iter().flatten();
        mounts.any(|mount| path.starts_with(mount.destination()))
    };
    if covered(Path::new("/dev")) {
        return Ok(());
    }
    let failed = |errno: Errno| Error::io("make room in /dev of", rootfs)(errno.into());
    let root = open(rootfs, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    let dev = match open_below(&root, Path::new("/dev"), OFlags::DIRECTORY) {
        Ok(dev) => dev,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(failed(errno)),
    };
    for (name, target) in LINKS.into_iter().chain([KCORE, PTMX]) {
        let found = readlinkat(&dev, name, vec![]);
        if found.is_ok_and(|found| found.as_bytes() == target.as_bytes()) {
            unlinkat(&dev, name, AtFlags::empty()).map_err(failed)?;
        }
    }
    for (name, major, minor) in DEVICES {
        remove_device(
            dev.as_fd(),
            Path::new(name),
            FileType::CharacterDevice,
            makedev(major, minor),
        )
        .map_err(failed)?;
    }
    for (path, kind, number) in listed(spec) {
        let relative = path.strip_prefix("/dev").unwrap_or(&path);
        remove_device(dev.as_fd(), relative, kind, number).map_err(failed)?;
    }
    Ok(())
}

fn listed(spec: &Spec) -> impl Iterator<Item = (PathBuf, FileType, u64)> + '_ {
    let linux = spec.linux().as_ref();
    let devices = linux.and_then(|linux| linux.devices().as_ref());
    devices
        .into_iter()
        .flatten()
        .filter_map(|device| Some((device.path().clone(), kind_of(device)?, number_of(device)?)))
}

/// Removes `path` below `dev` if it is a node of this kind, and for a device of this number.
fn remove_device(
    dev: BorrowedFd<'_>,
    path: &Path,
    kind: FileType,
    number: u64,
) -> Result<(), Errno> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(());
    };
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let parent = match open_below(dev, parent, OFlags::DIRECTORY) {
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => return Ok(()),
        other => other?,
    };
    let status = match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    let is_it = FileType::from_raw_mode(status.st_mode) == kind
        && (kind == FileType::Fifo || status.st_rdev == number);
    if is_it {
        unlinkat(&parent, name, AtFlags::empty())?;
    }
    Ok(())
}
