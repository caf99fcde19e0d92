//! Reading a small file that somebody wrote by hand: bounded, and never held up by what is no regular file.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Why such a file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SmallFileError {
    /// It can't be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no regular file, but this.
    #[error("it is a {0}, not a regular file")]
    NotAFile(&'static str),
    /// It holds more than anybody writes; so many bytes, or more.
    #[error("it is too large: {0} bytes")]
    TooLarge(u64),
}

/// A regular file, open for reading.
#[derive(Debug)]
pub struct SmallFile {
    file: File,
    metadata: Metadata,
}

impl SmallFile {
    /// Opens the file at `path`, where `follows` is false only if it is no symbolic link.
    ///
    /// # Errors
    /// Those of open(2), and where it is no regular file.
    pub fn open(path: &Path, follows: bool) -> Result<Self, SmallFileError> {
        // Looked at before it is opened: opening a device may do anything. And it may be another one then:
        // opening a fifo waits for a writer unless it is told not to.
        let (found, links) = match follows {
            true => (fs::metadata(path)?, 0),
            false => (fs::symlink_metadata(path)?, libc::O_NOFOLLOW),
        };
        require_regular(&found)?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | links)
            .open(path)?;
        let metadata = file.metadata()?;
        require_regular(&metadata)?;
        Ok(Self { file, metadata })
    }

    /// Whose it is, and who may write it.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What is in it, at most `most` bytes.
    ///
    /// # Errors
    /// Those of read(2), and where there is more.
    pub fn read(self, most: u64) -> Result<Vec<u8>, SmallFileError> {
        let told = self.metadata.len();
        if told > most {
            return Err(SmallFileError::TooLarge(told));
        }
        // The size that was told may be wrong (the file may grow, and files of /proc say 0); one byte more
        // shows that there was more.
        let mut bytes = vec![];
        self.file
            .take(most.saturating_add(1))
            .read_to_end(&mut bytes)?;
        let found = bytes.len() as u64;
        if found > most {
            return Err(SmallFileError::TooLarge(found));
        }
        Ok(bytes)
    }
}

fn require_regular(found: &Metadata) -> Result<(), SmallFileError> {
    match found.is_file() {
        true => Ok(()),
        false => Err(SmallFileError::NotAFile(kind(found.file_type()))),
    }
}

fn kind(of: FileType) -> &'static str {
    if of.is_dir() {
        "directory"
    } else if of.is_symlink() {
        "symbolic link"
    } else if of.is_fifo() {
        "fifo"
    } else if of.is_socket() {
        "socket"
    } else {
        "device"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn read(path: &Path, follows: bool) -> Result<Vec<u8>, String> {
        let file = SmallFile::open(path, follows);
        let read = file.and_then(|file| file.read(4));
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn only_small_regular_files_are_read_and_nothing_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "1234").unwrap();
        fs::write(at("large"), "12345").unwrap();
        symlink("file", at("link")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(at("fifo"))
            .status();
        assert!(made.unwrap().success());
        assert_eq!(read(&at("file"), false).unwrap(), b"1234");
        assert_eq!(read(&at("link"), true).unwrap(), b"1234");
        for (path, follows, fault) in [
            (at("link"), false, "a symbolic link"),
            (at("fifo"), true, "a fifo"),
            (at("."), true, "a directory"),
            ("/dev/null".into(), true, "a device"),
            (at("large"), true, "5 bytes"),
            // Its size is told to be 0.
            ("/proc/self/status".into(), true, "5 bytes"),
            (at("absent"), true, "No such file"),
        ] {
            let found = read(&path, follows).unwrap_err();
            assert!(found.contains(fault), "{}: {found}", path.display());
        }
    }
}
