//! Opening what is below a root file system, by descriptor and never by a joined path.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2};
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

/// How often a path is looked up again: openat2(2) gives up on a `..` while anybody renames or mounts anything.
const TRIES: usize = 100;

/// Opens `path` as a process whose root is `root` would find it: links are followed, and stay below `root`.
/// `kind` adds to `O_PATH`.
///
/// # Errors
/// Those of openat2(2).
pub(crate) fn open_in_root(root: impl AsFd, path: &Path, kind: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | kind;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut tries = TRIES;
    loop {
        match openat2(&root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if tries > 0 => tries -= 1,
            other => return other,
        }
    }
}

/// Makes the directory `path`, taken from `root` down, with those above it that are missing, and opens it.
///
/// # Errors
/// `ELOOP` where a link is on the way; those of mkdirat(2).
pub(crate) fn make_directories(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let mut directory = root.try_clone_to_owned().map_err(|_| Errno::MFILE)?;
    for component in path.strip_prefix("/").unwrap_or(path).components() {
        let name = Path::new(component.as_os_str());
        match mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        directory = open_below(&directory, name, OFlags::empty())?;
    }
    Ok(directory)
}
