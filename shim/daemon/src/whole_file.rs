//! Files that are there whole or not at all, also when the machine stops at any moment.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, fsync, open, openat, renameat, unlinkat};
use rustix::io::Errno;

/// A place for a file, in a directory that stays the same whatever becomes of its path.
#[derive(Debug)]
pub struct WholeFile {
    directory: OwnedFd,
    name: OsString,
}

impl WholeFile {
    /// That at `path`. Nothing is written yet.
    ///
    /// # Errors
    /// Where its directory can't be opened, or it names no file.
    pub fn at(path: &Path) -> io::Result<Self> {
        let unnamed = || io::Error::new(io::ErrorKind::InvalidInput, "it names no file");
        let name = path.file_name().ok_or_else(unnamed)?.to_owned();
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(parent, flags, Mode::empty())?;
        Ok(Self { directory, name })
    }

    /// Its directory.
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Sees to it that a file can be put there: one is, under another name, and taken away again. Nothing but
    /// trying tells: root may write anywhere, and not in /proc.
    ///
    /// # Errors
    /// Where it can't.
    pub fn try_out(&self) -> io::Result<()> {
        let (other, _) = self.make_other()?;
        Ok(unlinkat(&self.directory, &other, AtFlags::empty())?)
    }

    /// Writes `content` for nobody but this user: under another name, on the disk, and only then in its place, never
    /// through a link.
    ///
    /// # Errors
    /// Where it can't be written; what was there before is then untouched.
    pub fn put(&self, content: &[u8]) -> io::Result<()> {
        let (other, mut file) = self.make_other()?;
        let directory = &self.directory;
        let written = file
            .write_all(content)
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(renameat(directory, &other, directory, &self.name)?));
        if written.is_err() {
            // The first error is the one to report.
            let _ = unlinkat(directory, &other, AtFlags::empty());
        }
        written?;
        Ok(fsync(directory)?)
    }

    /// A new file under another name.
    fn make_other(&self) -> io::Result<(String, File)> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!(".opt-new-{}-{number}", std::process::id());
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = match openat(&self.directory, &name, flags, mode) {
            // Of a process that had this number, and was killed just then.
            Err(Errno::EXIST) => {
                unlinkat(&self.directory, &name, AtFlags::empty())?;
                openat(&self.directory, &name, flags, mode)?
            }
            opened => opened?,
        };
        Ok((name, file.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_never_through_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        fs::write(&victim, "kept").unwrap();
        let path = directory.path().join("file");
        symlink(&victim, &path).unwrap();
        let file = WholeFile::at(&path).unwrap();
        file.try_out().unwrap();
        for content in ["a longer text", "short"] {
            file.put(content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_can_not_be_put_there_leaves_what_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        fs::create_dir_all(path.join("by a directory")).unwrap();
        WholeFile::at(&path).unwrap().put(b"text").unwrap_err();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        WholeFile::at(Path::new("/proc/file"))
            .unwrap()
            .try_out()
            .unwrap_err();
        WholeFile::at(Path::new("/")).unwrap_err();
    }
}
