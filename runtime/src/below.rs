//! Opening what is below a root file system, by descriptor and never by a joined path.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

/// Opens `path`, taken from `root` down, without following any link and without leaving `root`. `kind` adds
/// to `O_PATH`: `O_DIRECTORY` where nothing else will do.
///
/// # Errors
/// `ELOOP` where a link is on the way, and the others of openat2(2).
pub(crate) fn open_below(root: impl AsFd, path: &Path, kind: OFlags) -> Result<OwnedFd, Errno> {
    openat2(
        root,
        path.strip_prefix("/").unwrap_or(path),
        OFlags::PATH | OFlags::CLOEXEC | kind,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
}
