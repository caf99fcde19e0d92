//! Where the keepers of images are found, and what they are called there.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use bundles::shifter::trusted;
use rustix::fs::{FileType, Mode, OFlags, fstat, mkdir, openat};
use rustix::io::Errno;

use crate::images::check::Known;
use crate::images::error::ImageError;
use crate::keeping::State;

impl State {
    /// Opens the directory at `path`, which is made if need be, for root alone. It has to be root's with all that leads
    /// to it.
    pub(crate) fn open(path: &Path) -> Result<Self, ImageError> {
        match mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(ImageError::state("make", path)(errno)),
        }
        let found = trusted::follow(path, &trusted::ROOT)?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&found.descriptor, ".", flags, Mode::empty())
            .map_err(ImageError::state("open", path))?;
        Ok(Self {
            path: found.path,
            directory,
        })
    }

    /// Images that were read and found to be right.
    pub(crate) fn known(&self) -> Option<Known> {
        Known::below(&self.directory)
    }
}

/// The name of an image here: its file, not what it is called. A file that is mounted keeps its number, so an image that
/// was replaced is another one.
pub(crate) fn key_of(image: impl AsFd) -> io::Result<String> {
    let status = fstat(image)?;
    debug_assert_eq!(
        FileType::from_raw_mode(status.st_mode),
        FileType::RegularFile
    );
    Ok(format!("{:x}-{:x}", status.st_dev, status.st_ino))
}
