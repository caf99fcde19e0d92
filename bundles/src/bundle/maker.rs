//! Making the tree of a skeleton, each entry by the descriptor of the directory that it is in.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, XattrFlags, chmodat, fsetxattr, fstat, mkdirat, mknodat,
    openat, statat, symlinkat,
};
use rustix::io::Errno;

use super::skeleton::{Entry, Node};

/// The attribute by which overlayfs knows that a directory hides the one below it.
const HIDES: &str = "trusted.overlay.opaque";

/// An error with the path inside.
type At<T> = Result<T, (PathBuf, io::Error)>;

/// Makes entries of one tree.
#[derive(Debug)]
pub(super) struct Maker {
    /// Bits of a mode that something here was given as asked: neither the caller's umask nor a default access list takes
    /// them, and nobody has to set them again.
    given: u32,
    /// Whether a directory hands on the bit of its group, so that another is given more than was asked.
    hands_on: bool,
}

impl Maker {
    /// Makes what is in `tree` in the directory `root`.
    pub fn make(root: &Path, tree: &Node) -> At<()> {
        let failed = |error: io::Error| (PathBuf::from("/"), error);
        // It is there, as it is.
        if tree.entry != Entry::DIRECTORY {
            return Err(failed(Errno::EXIST.into()));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened =
            openat(CWD, root, flags, Mode::empty()).and_then(|root| Ok((fstat(&root)?, root)));
        let (status, root) = opened.map_err(|errno| failed(errno.into()))?;
        let mut maker = Self {
            given: 0,
            hands_on: status.st_mode & libc::S_ISGID != 0,
        };
        maker
            .fill(root.as_fd(), tree)
            .map_err(|(path, error)| (Path::new("/").join(path), error))
    }

    fn fill(&mut self, directory: BorrowedFd<'_>, tree: &Node) -> At<()> {
        for (name, node) in &tree.inside {
            let failed = |error| (PathBuf::from(name), error);
            self.make_one(directory, name, &node.entry)
                .map_err(failed)?;
            if !node.inside.is_empty() {
                let made = open_directory(directory, name, OFlags::PATH).map_err(failed)?;
                self.fill(made.as_fd(), node)
                    .map_err(|(path, error)| (Path::new(name).join(path), error))?;
            }
        }
        Ok(())
    }

    fn make_one(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        entry: &Entry,
    ) -> io::Result<()> {
        match entry {
            Entry::Directory { mode, hides } => {
                mkdirat(directory, name, Mode::from_raw_mode(*mode))?;
                if *hides {
                    let made = open_directory(directory, name, OFlags::RDONLY)?;
                    fsetxattr(made, HIDES, b"y", XattrFlags::CREATE)?;
                }
                self.see_to_mode(directory, name, *mode)
            }
            Entry::File { content, mode } => {
                make_file(directory, name, content, Mode::from_raw_mode(*mode))?;
                self.see_to_mode(directory, name, *mode)
            }
            Entry::Link(target) => Ok(symlinkat(target, directory, name)?),
            Entry::Absent => make_whiteout(directory, name),
        }
    }

    /// Whatever the caller's umask is, the sandbox's own user must be able to pass.
    fn see_to_mode(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        mode: u32,
    ) -> io::Result<()> {
        self.hands_on |= mode & libc::S_ISGID != 0;
        if !self.hands_on && mode & !self.given == 0 {
            return Ok(());
        }
        let has = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode & 0o7777;
        if has != mode {
            let mode = Mode::from_raw_mode(mode);
            return Ok(chmodat(directory, name, mode, AtFlags::empty())?);
        }
        self.given |= mode;
        Ok(())
    }
}

fn open_directory(directory: BorrowedFd<'_>, name: &OsStr, how: OFlags) -> io::Result<OwnedFd> {
    let flags = how | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(directory, name, flags, Mode::empty())?)
}

fn make_file(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    content: &[u8],
    mode: Mode,
) -> io::Result<()> {
    // A mount target needn't be opened.
    if content.is_empty() {
        return Ok(mknodat(directory, name, FileType::RegularFile, mode, 0)?);
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    File::from(openat(directory, name, flags, mode)?).write_all(content)
}

/// Anybody can make one: the kernel knows that this device leads nowhere.
fn make_whiteout(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let kind = FileType::CharacterDevice;
    Ok(mknodat(directory, name, kind, Mode::empty(), 0)?)
}

/// Whether the directory hides the one of a layer below.
pub(super) fn is_hiding(path: &Path) -> io::Result<bool> {
    let mut value = [0];
    match rustix::fs::lgetxattr(path, HIDES, &mut value) {
        Ok(_) => Ok(true),
        // Without root's privileges there is no such attribute.
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}
