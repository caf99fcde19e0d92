//! Where it is mounted: a place below the root file system that leads through no link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, move_mount};

use crate::below::{make_directories, open_below};
use crate::container::{Error, Result};

/// Attaches `tree` at `path` from `at`, or at `at` itself where that is empty.
///
/// # Errors
/// Those of move_mount(2), as this step's.
pub(in crate::container) fn attach(tree: &OwnedFd, at: impl AsFd, path: &Path) -> Result<()> {
    move_to(tree, at, path).map_err(Error::step("attach a mount to the root file system"))
}

/// The same, as the kernel says it.
///
/// # Errors
/// Those of move_mount(2).
pub(in crate::container) fn move_to(
    tree: &OwnedFd,
    at: impl AsFd,
    path: &Path,
) -> rustix::io::Result<()> {
    let mut flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    flags.set(
        MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
        path.as_os_str().is_empty(),
    );
    move_mount(tree, "", at, path, flags)
}

/// The target for `tree` below `root`, made where a tmpfs of ours lacks it.
///
/// # Errors
/// Where it can't be opened or made, or a link is on the way.
pub(in crate::container) fn open_target(
    root: impl AsFd,
    destination: &Path,
    tree: &OwnedFd,
) -> Result<OwnedFd> {
    let relative = destination.strip_prefix("/").unwrap_or(destination);
    match open_below(&root, relative, OFlags::empty()) {
        Err(Errno::NOENT) => {
            make_target(root.as_fd(), relative, tree)
                .map_err(|errno| Error::io("make mount target", destination)(errno.into()))?;
            open_below(&root, relative, OFlags::empty())
        }
        other => other,
    }
    .map_err(|errno| Error::Preflight {
        path: destination.to_path_buf(),
        reason: match errno {
            Errno::LOOP => "a mount target must not lead through a symbolic link".to_owned(),
            other => format!("can't be opened as a mount target: {other}"),
        },
    })
}

/// Makes a directory for a directory and an empty file for anything else, with the directories above.
fn make_target(root: BorrowedFd<'_>, relative: &Path, tree: &OwnedFd) -> rustix::io::Result<()> {
    let is_directory = FileType::from_raw_mode(fstat(tree)?.st_mode) == FileType::Directory;
    if is_directory {
        return make_directories(root, relative).map(drop);
    }
    let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
        return Err(Errno::INVAL);
    };
    let parent = make_directories(root, parent)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(&parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
}
