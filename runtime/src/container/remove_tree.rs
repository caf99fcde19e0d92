//! Removing a directory with all that is in it, and with nothing that is mounted there.
//!
//! What the standard library has for this goes on into a mount: a single one that something killed had left, and the
//! host's own files would go with a state directory. A bind mount is of the same file system; so the kernel is asked
//! not to cross, openat2(2).

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, ResolveFlags, openat, openat2, unlinkat};
use rustix::io::Errno;

use super::{Error, Result};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// How much of a directory is read at once, in bytes: one entry takes 280 at most, and each level of a tree has this on the stack.
const ENTRIES: usize = 1024;

/// Removes the directory `path` with all that is in it; absent is fine.
///
/// # Errors
/// Where something is mounted in it, or can't be removed; what comes before that in the tree is gone then.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
    let emptied = match openat(CWD, path, DIRECTORY, Mode::empty()) {
        Ok(directory) => empty(&directory),
        Err(errno) => Err(errno),
    };
    let removed = emptied.and_then(|()| unlinkat(CWD, path, AtFlags::REMOVEDIR));
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(Error::io("remove", path)(told(errno))),
    }
}

fn empty(directory: &OwnedFd) -> std::result::Result<(), Errno> {
    let mut entries = [MaybeUninit::uninit(); ENTRIES];
    let mut entries = RawDir::new(directory, &mut entries);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match unlinkat(directory, name, AtFlags::empty()) {
            // Gone by itself is as good.
            Ok(()) | Err(Errno::NOENT) => continue,
            Err(Errno::ISDIR) => {}
            Err(errno) => return Err(errno),
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let below = openat2(directory.as_fd(), name, DIRECTORY, Mode::empty(), resolve)?;
        empty(&below)?;
        unlinkat(directory, name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

fn told(errno: Errno) -> io::Error {
    match errno {
        Errno::XDEV => io::Error::new(ErrorKind::ResourceBusy, "something is mounted in it"),
        errno => errno.into(),
    }
}
