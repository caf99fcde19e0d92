//! Reading and writing what the kernel makes up: files of `/proc`, `/sys` and cgroups.
//!
//! Their size is given as 0, so the standard library asks for it in vain, begins with 32 bytes and doubles:
//! nine system calls for a line. A container's start reads dozens of them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, Mode, OFlags, open, openat};
use rustix::io::{read as read_some, retry_on_intr, write as write_some};

/// What is read at once, in bytes: most files whole, and the kernel gives a page at most of many.
const AT_ONCE: usize = 4096;

/// The whole text of `path`.
///
/// # Errors
/// Those of open(2) and read(2), and `InvalidData` where it isn't UTF-8.
pub(crate) fn read(path: impl AsRef<Path>) -> io::Result<String> {
    read_in(CWD, path)
}

/// The same of a file in `directory`, an open one: of many, each is found sooner.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_in(directory: impl AsFd, path: impl AsRef<Path>) -> io::Result<String> {
    let file = open_in(directory, path.as_ref())?;
    let mut content = Vec::with_capacity(AT_ONCE);
    while retry_on_intr(|| read_some(&file, spare_capacity(&mut content)))? > 0 {
        if content.len() == content.capacity() {
            content.reserve(AT_ONCE);
        }
    }
    text(content)
}

/// The first page of a text in `directory`, for who needs only what stands at its beginning.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_beginning_in(
    directory: impl AsFd,
    path: impl AsRef<Path>,
) -> io::Result<String> {
    let file = open_in(directory, path.as_ref())?;
    let mut content = Vec::with_capacity(AT_ONCE);
    retry_on_intr(|| read_some(&file, spare_capacity(&mut content)))?;
    text(content)
}

fn open_in(directory: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    // Not the standard library's: musl sets close-on-exec once more in a call of its own.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(openat(directory, path, flags, Mode::empty())?)
}

fn text(content: Vec<u8>) -> io::Result<String> {
    String::from_utf8(content).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Writes `text` to `path`, which is never made, in one call: the kernel takes each write as a whole value.
///
/// # Errors
/// Those of open(2) and write(2), and `WriteZero` where not all of it was taken.
pub(crate) fn write(path: impl AsRef<Path>, text: &str) -> io::Result<()> {
    let file = open(
        path.as_ref(),
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let written = retry_on_intr(|| write_some(&file, text.as_bytes()))?;
    match written == text.len() {
        true => Ok(()),
        false => Err(io::ErrorKind::WriteZero.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_whole_whatever_its_length() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for length in [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 5 * AT_ONCE] {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            std::fs::write(&path, &text).unwrap();
            assert_eq!(read(&path).unwrap(), text, "{length}");
        }
    }

    #[test]
    fn only_what_is_there_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert_eq!(
            write(&path, "0").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        std::fs::write(&path, "").unwrap();
        write(&path, "0-1").unwrap();
        assert_eq!(read(&path).unwrap(), "0-1");
    }

    #[test]
    fn what_is_no_text_or_not_there_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::write(&path, [b'a', 0xff]).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_file_of_the_kernels_reads_as_it_does_elsewhere() {
        for path in ["/proc/self/uid_map", "/proc/self/mountinfo"] {
            assert_eq!(read(path).unwrap(), std::fs::read_to_string(path).unwrap());
        }
    }
}
