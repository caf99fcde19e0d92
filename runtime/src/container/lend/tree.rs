//! Every file below a directory, handed from one owner to another.
//!
//! The tree is a command's or a user's: as deep as they like, and perhaps changing. So one directory is open at
//! a time, no name is followed through a link or into another file system, and the way back up is the way that
//! led down, or the walk ends.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fstat, openat};
use rustix::io::Errno;

use super::Ids;

const OPEN_DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A file of whatever type, itself.
const HOLD: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A walk.
pub(super) struct Tree {
    directory: OwnedFd,
    from: Ids,
    to: Ids,
    device: u64,
    /// Of each directory down to this one: by what it is known again, and what is left to do in it.
    levels: Vec<Level>,
}

struct Level {
    inode: u64,
    names: Vec<CString>,
}

impl Tree {
    /// A walk from `top` down.
    pub(super) fn at(top: &OwnedFd, from: Ids, to: Ids) -> io::Result<Self> {
        let directory = openat(top, ".", OPEN_DIRECTORY, Mode::empty())?;
        let stat = fstat(&directory)?;
        let mut tree = Self {
            directory,
            from,
            to,
            device: stat.st_dev,
            levels: vec![],
        };
        tree.begin(stat.st_ino)?;
        Ok(tree)
    }

    /// Hands everything over.
    ///
    /// # Errors
    /// The first file that can't be; where the tree changes under the walk.
    pub(super) fn hand_over(mut self) -> io::Result<()> {
        self.hand_over_entry(c".")?;
        while let Some(level) = self.levels.last_mut() {
            let Some(name) = level.names.pop() else {
                self.levels.pop();
                self.up()?;
                continue;
            };
            let Some(stat) = self.hand_over_entry(&name)? else {
                continue;
            };
            let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_directory && stat.st_dev == self.device {
                self.down(&name)?;
            }
        }
        Ok(())
    }

    /// One entry of the open directory; `None` where it is gone.
    fn hand_over_entry(&self, name: &std::ffi::CStr) -> io::Result<Option<Stat>> {
        // Held, for between two looks its name could become another file's.
        let entry = match openat(&self.directory, name, HOLD, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            opened => opened?,
        };
        let stat = fstat(&entry)?;
        let uid = (stat.st_uid == self.from.uid).then(|| Uid::from_raw(self.to.uid));
        let gid = (stat.st_gid == self.from.gid).then(|| Gid::from_raw(self.to.gid));
        // Another file system's are none of ours: a mount point keeps its owner.
        if stat.st_dev == self.device && (uid.is_some() || gid.is_some()) {
            chownat(&entry, "", uid, gid, AtFlags::EMPTY_PATH)?;
        }
        Ok(Some(stat))
    }

    fn down(&mut self, name: &std::ffi::CStr) -> io::Result<()> {
        let below = match openat(&self.directory, name, OPEN_DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            opened => opened?,
        };
        let stat = fstat(&below)?;
        if stat.st_dev == self.device {
            self.directory = below;
            self.begin(stat.st_ino)?;
        }
        Ok(())
    }

    fn up(&mut self) -> io::Result<()> {
        let Some(expected) = self.levels.last() else {
            return Ok(());
        };
        let above = openat(&self.directory, "..", OPEN_DIRECTORY, Mode::empty())?;
        let stat = fstat(&above)?;
        if (stat.st_dev, stat.st_ino) != (self.device, expected.inode) {
            return Err(io::Error::other("a directory was moved meanwhile"));
        }
        self.directory = above;
        Ok(())
    }

    fn begin(&mut self, inode: u64) -> io::Result<()> {
        let mut names = vec![];
        for entry in Dir::read_from(self.directory.as_fd())? {
            let name = entry?.file_name().to_owned();
            if name.as_bytes() != b"." && name.as_bytes() != b".." {
                names.push(name);
            }
        }
        self.levels.push(Level { inode, names });
        Ok(())
    }
}
