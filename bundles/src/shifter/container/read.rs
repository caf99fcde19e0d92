//! Files of a container that isn't running yet.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, openat};
use rustix::io::Errno;

use super::tree::{Followed, Found, LastLink, Tree};
use crate::bundle::Entry;

impl Tree<'_> {
    /// What the file at `path` will hold inside, with the rights of the calling thread, which has the user's ids. `None`
    /// where nothing is there.
    ///
    /// # Errors
    /// What the kernel says, or that it is no regular file, or holds more than `most` bytes.
    pub(super) fn read_file(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        let Followed { path, found, .. } = match self.follow(path, LastLink::Followed) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            other => other?,
        };
        let Found::There(there) = found else {
            return Ok(None);
        };
        if there.kind != FileType::RegularFile {
            return Err(io::Error::other("is not a regular file"));
        }
        let Some((file, _)) = there.opened else {
            let path = self.root_path(there.part, &path).unwrap_or(path);
            return match self.layer.entry(&path) {
                Some(Entry::File { content, .. }) => Ok(Some(content.clone())),
                _ => Ok(None),
            };
        };
        // It was opened as a place only; by its descriptor, so that nothing else is read.
        let by_descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(CWD, by_descriptor, flags, Mode::empty())?);
        let mut content = vec![];
        file.take(most + 1).read_to_end(&mut content)?;
        if content.len() as u64 > most {
            return Err(io::Error::other(format!("is longer than {most} bytes")));
        }
        Ok(Some(content))
    }
}
