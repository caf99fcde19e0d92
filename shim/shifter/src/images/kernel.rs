//! An image mounted by the kernel: detached, read-only, without setuid programs and devices.
//!
//! Everything is done to one open descriptor: what is looked at is what the kernel gets, whatever happens to the name.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use runtime::sys::{MountAttr, mount_setattr};
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, open_tree,
};

use super::error::ImageError;
use crate::sys;
use image_files::{FileSystem, Kind};

/// What every mount of an image has.
pub(super) const ATTRIBUTES: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NODEV);

/// Options of the kernel's, besides `ro`. What an image says about itself must neither be written to nor have a say about
/// this host.
fn options(kind: Kind) -> &'static [(&'static str, Option<&'static str>)] {
    match kind {
        // A journal is left as it is, and an error in the image isn't one of the host's (`errors=panic`).
        Kind::Ext4 => &[("noload", None), ("errors", Some("continue"))],
        // Two copies of one image have the same UUID.
        Kind::Xfs => &[("norecovery", None), ("nouuid", None)],
        Kind::Squashfs | Kind::Erofs | Kind::Cramfs => &[],
    }
}

/// Mounts the file system in `file`, nowhere yet. `path` is for messages.
///
/// # Errors
/// [`ImageError`].
pub(super) fn mount(file: &File, found: FileSystem, path: &Path) -> Result<OwnedFd, ImageError> {
    let kind = found.kind;
    if kind == Kind::Erofs {
        match create(kind, file.as_fd().as_raw_fd(), path) {
            // Kernels before 6.12 want a block device.
            Err(ImageError::Mount { source, .. })
                if source.raw_os_error() == Some(libc::ENOTBLK) => {}
            other => return other,
        }
    }
    let device =
        sys::attach_loop_device(file.as_fd(), sys::Access::ReadOnly).map_err(|source| {
            ImageError::Mount {
                path: path.to_path_buf(),
                operation: "make a loop device",
                source,
                told: String::new(),
            }
        })?;
    // The mount holds the device from here on.
    create(kind, device.as_raw_fd(), path)
}

/// Mounts descriptor `source`, by the name that the kernel has for it in this process.
fn create(kind: Kind, source: i32, path: &Path) -> Result<OwnedFd, ImageError> {
    let context = fsopen(kind.name(), FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| {
        let path = path.to_path_buf();
        match errno {
            Errno::NODEV => ImageError::NoFileSystem { path, kind },
            errno => failed(path, "open a file system", errno, String::new()),
        }
    })?;
    let mut context = File::from(context);
    let configured = fsconfig_set_string(&context, "source", format!("/proc/self/fd/{source}"))
        .and_then(|()| fsconfig_set_flag(&context, "ro"))
        .and_then(|()| {
            options(kind)
                .iter()
                .try_for_each(|(key, value)| match value {
                    Some(value) => fsconfig_set_string(&context, *key, *value),
                    None => fsconfig_set_flag(&context, *key),
                })
        })
        .and_then(|()| fsconfig_create(&context));
    if let Err(errno) = configured {
        let mut told = told(&mut context);
        if told.is_empty() && [Errno::UCLEAN, Errno::BADMSG].contains(&errno) {
            told = ": the file system in it is damaged".to_owned();
        }
        return Err(failed(path.to_path_buf(), "mount", errno, told));
    }
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, ATTRIBUTES)
        .map_err(|errno| failed(path.to_path_buf(), "mount", errno, String::new()))
}

/// The directory `directory` as a mount of its own, nowhere yet, and without what is mounted below it.
///
/// # Errors
/// [`ImageError`].
pub(super) fn mount_directory(directory: impl AsFd, path: &Path) -> Result<OwnedFd, ImageError> {
    let told = |operation| move |errno| failed(path.to_path_buf(), operation, errno, String::new());
    let again = open_again(directory, path).map_err(told("open once more"))?;
    let mount = clone(again).map_err(told("bind"))?;
    let attributes = MountAttr {
        set: ATTRIBUTES.bits().into(),
        propagation: libc::MS_PRIVATE,
        ..MountAttr::default()
    };
    mount_setattr(&mount, attributes, false).map_err(|source| ImageError::Mount {
        path: path.to_path_buf(),
        operation: "make nosuid, nodev and read-only",
        source,
        told: String::new(),
    })?;
    Ok(mount)
}

/// The directory `directory`, opened at `path` in this mount namespace: what was opened in another can't be mounted here.
/// The descriptor says whether it is still the one that was looked at.
fn open_again(directory: impl AsFd, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let again = openat(CWD, path, flags, Mode::empty())?;
    let (one, other) = (fstat(directory)?, fstat(&again)?);
    match (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino) {
        true => Ok(again),
        false => Err(Errno::STALE),
    }
}

/// Another mount of what is mounted at `mount`, nowhere yet, with the same attributes.
pub(super) fn clone(mount: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    open_tree(mount, "", flags)
}

fn failed(path: PathBuf, operation: &'static str, errno: Errno, told: String) -> ImageError {
    ImageError::Mount {
        path,
        operation,
        source: io::Error::from(errno),
        told,
    }
}

/// What the kernel has to say about a file system that it won't mount: the first error of its log, after a comma.
fn told(context: &mut File) -> String {
    let mut buffer = [0; 1024];
    // A message a read: the letter of its weight, a space, the text.
    while let Ok(length @ 1..) = context.read(&mut buffer) {
        let message = String::from_utf8_lossy(&buffer[..length]);
        if let Some(error) = message.strip_prefix("e ") {
            return format!(", the kernel says: {}", error.trim());
        }
    }
    String::new()
}
