//! A command's temporary directory, looked at from outside.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, fstatvfs, open};

use super::super::{Error, Result};

/// The file system of the temporary directory. It is gone with the container, if this is dropped by then.
#[derive(Debug)]
pub(super) struct Scratch(OwnedFd);

impl Scratch {
    /// Opens the directory `inside` of the process `pid`, which hasn't executed anything yet.
    pub(super) fn open(pid: i32, inside: &Path) -> Result<Self> {
        let relative = inside.strip_prefix("/").unwrap_or(inside);
        let path = Path::new("/proc").join(pid.to_string()).join("root");
        let path = path.join(relative);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        open(&path, flags, Mode::empty())
            .map(Self)
            .map_err(|errno| Error::io("open the temporary directory", &path)(errno.into()))
    }

    /// Whether nothing more goes into it.
    pub(super) fn is_full(&self) -> bool {
        // Without a size, or a number of files, there is nothing to fill.
        fstatvfs(&self.0).is_ok_and(|status| {
            (status.f_blocks > 0 && status.f_bavail == 0)
                || (status.f_files > 0 && status.f_favail == 0)
        })
    }
}
