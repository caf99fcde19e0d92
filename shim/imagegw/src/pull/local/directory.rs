//! Files of a directory, reached through no link.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

use super::super::error::{PullError, malformed};
use super::Files;

/// A directory.
#[derive(Debug)]
pub(in crate::pull) struct Directory {
    path: PathBuf,
    descriptor: OwnedFd,
}

impl Directory {
    pub(in crate::pull) fn open(path: &Path) -> Result<Self, PullError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = openat(CWD, path, flags, Mode::empty());
        Ok(Self {
            path: path.to_path_buf(),
            descriptor: descriptor.map_err(PullError::io("open", path))?,
        })
    }
}

impl Files for Directory {
    fn open(&self, name: &str, from: u64) -> Result<(Box<dyn Read + '_>, u64), PullError> {
        let path = self.path.join(name);
        let opened = openat2(
            &self.descriptor,
            name,
            // What is a pipe now is none to wait for.
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        );
        let mut file = File::from(opened.map_err(PullError::io("open", &path))?);
        let found = file.metadata().and_then(|found| {
            file.seek(SeekFrom::Start(from))?;
            Ok(found)
        });
        let found = found.map_err(PullError::io("read", &path))?;
        if !found.is_file() {
            return Err(malformed(&path.display().to_string(), "it is no file"));
        }
        Ok((Box::new(file), found.len()))
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }
}
