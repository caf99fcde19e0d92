//! Files that are there whole or not at all, whoever looks and whenever the writer is killed.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::{Error, Result};

/// The mode of files for nobody but their owner.
pub(super) const PRIVATE: u32 = 0o600;

/// The mode of files that engines read, perhaps as another user.
const PUBLIC: u32 = 0o644;

/// Writes `content`, of the runtime's own state, beside `path` and puts it there.
///
/// # Errors
/// Those of open(2), write(2), rename(2) and unlink(2); what was at `path` is still there then.
pub(super) fn write_whole(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    write_with(path, mode, content, exchange)
}

/// Writes `content` to `path`, where nothing is yet: for what nobody looks for until another file tells of it.
///
/// # Errors
/// Those of open(2) and write(2).
pub(super) fn write_new(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        // Never through a link that somebody else put there.
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(content))
}

/// Writes `pid` without an end of line, as engines expect it: they wait for the file and read it at once.
///
/// # Errors
/// As [`write_whole`].
pub(super) fn write_pid_file(path: &Path, pid: i32) -> Result<()> {
    // Whatever is there may be anybody's, a directory too: exchanged, it would be moved.
    let rename = |from: &Path, to: &Path| fs::rename(from, to);
    write_with(path, PUBLIC, pid.to_string().as_bytes(), rename)
        .map_err(Error::io("write pid file", path))
}

fn write_with(
    path: &Path,
    mode: u32,
    content: &[u8],
    put_in_place: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written =
        write_new(&temporary, mode, content).and_then(|()| put_in_place(&temporary, path));
    match &written {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // The first error is the one to report.
            let _ = fs::remove_file(&temporary);
        }
        _ => {}
    }
    written
}

/// Renames `temporary` to `path`. What was there is exchanged and then removed: where a file is renamed over another one,
/// ext4 brings it to the disk first (`auto_da_alloc`, ext4(5)), which takes from a fifth of a millisecond to several,
/// and no state is to outlive the system.
fn exchange(temporary: &Path, path: &Path) -> io::Result<()> {
    match renameat_with(CWD, temporary, CWD, path, RenameFlags::EXCHANGE) {
        Ok(()) => fs::remove_file(temporary),
        // Nothing is there yet, or the file system can't exchange.
        Err(Errno::NOENT | Errno::INVAL) => fs::rename(temporary, path),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for content in ["a longer text", "short"] {
            write_whole(&path, PRIVATE, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_in_the_place_of_a_pid_file_stays_where_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        fs::create_dir(&path).unwrap();
        write_pid_file(&path, 1).unwrap_err();
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_replaced_and_never_followed() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        fs::write(&victim, "kept").unwrap();
        let path = directory.path().join("file");
        symlink(&victim, &path).unwrap();
        write_whole(&path, PUBLIC, b"new").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
