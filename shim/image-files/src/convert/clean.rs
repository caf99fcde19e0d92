//! A tree without what could give power, and that a user can read whose files it doesn't belong to.

use std::ffi::{CStr, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, chmodat, openat, openat2, statat,
    unlinkat,
};
use rustix::io::Errno;

use super::error::ConvertError;

const SET_ID: u32 = 0o6000;

/// What was done to a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Files, directories and links that are left.
    pub entries: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Setuid and setgid bits taken away.
    pub set_id: u64,
    /// Devices, pipes and sockets left out.
    pub special: u64,
    /// When anything in it was modified last, whole seconds since 1970, or one more.
    pub newest: i64,
}

/// Takes setuid and setgid bits away from everything in `tree`, and devices, pipes and sockets out of it; lets its owner
/// write and everybody read: in an image all is root's, and the user who runs it isn't.
///
/// # Errors
/// [`ConvertError::Io`].
pub fn clean(tree: &Path) -> Result<Cleaned, ConvertError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = openat(CWD, tree, flags, Mode::empty()).map_err(ConvertError::io("open", tree))?;
    let status = rustix::fs::fstat(&root).map_err(ConvertError::io("look at", tree))?;
    let mut cleaned = Cleaned {
        newest: status.st_mtime + 1,
        ..Cleaned::default()
    };
    rustix::fs::fchmod(&root, harmless(status.st_mode)).map_err(ConvertError::io("chmod", tree))?;
    let mut ahead = vec![PathBuf::from(".")];
    while let Some(relative) = ahead.pop() {
        let failed = |operation| ConvertError::io(operation, &tree.join(&relative));
        let directory = open_below(&root, &relative).map_err(failed("open"))?;
        for entry in Dir::read_from(&directory).map_err(failed("read"))? {
            let entry = entry.map_err(failed("read"))?;
            let name = entry.file_name();
            if [c".", c".."].contains(&name) {
                continue;
            }
            let is_directory =
                clean_entry(&directory, name, &mut cleaned).map_err(failed("clean what is in"))?;
            if is_directory {
                ahead.push(relative.join(OsStr::from_bytes(name.to_bytes())));
            }
        }
    }
    Ok(cleaned)
}

/// A directory below `root`, and nothing that a link leads to.
pub(super) fn open_below(root: &OwnedFd, relative: &Path) -> Result<OwnedFd, Errno> {
    openat2(
        root,
        relative,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
}

/// The mode of a file or directory of an image, for what it was.
pub fn harmless(mode: u32) -> Mode {
    let execute = match FileType::from_raw_mode(mode) {
        FileType::Directory => 0o111,
        _ if mode & 0o111 != 0 => 0o111,
        _ => 0,
    };
    Mode::from_raw_mode(mode & 0o7777 & !SET_ID | 0o644 | execute)
}

/// Whether it is a directory.
fn clean_entry(directory: &OwnedFd, name: &CStr, cleaned: &mut Cleaned) -> Result<bool, Errno> {
    let status = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(status.st_mode);
    match kind {
        FileType::Symlink => {}
        FileType::RegularFile | FileType::Directory => {
            cleaned.set_id += u64::from(status.st_mode & SET_ID != 0);
            if kind == FileType::RegularFile {
                cleaned.bytes += u64::try_from(status.st_size).unwrap_or(0);
            }
            let mode = harmless(status.st_mode);
            if mode != Mode::from_raw_mode(status.st_mode & 0o7777) {
                chmodat(directory, name, mode, AtFlags::empty())?;
            }
        }
        _ => {
            unlinkat(directory, name, AtFlags::empty())?;
            cleaned.special += 1;
            return Ok(false);
        }
    }
    cleaned.newest = cleaned.newest.max(status.st_mtime + 1);
    cleaned.entries += 1;
    Ok(kind == FileType::Directory)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn modes_lose_what_gives_power_and_let_everybody_read() {
        for (mode, meant) in [
            (0o104_755, 0o755),
            (0o102_711, 0o755),
            (0o100_600, 0o644),
            (0o100_000, 0o644),
            (0o100_100, 0o755),
            (0o041_777, 0o1777),
            (0o042_700, 0o755),
            (0o040_000, 0o755),
        ] {
            assert_eq!(harmless(mode), Mode::from_raw_mode(meant), "{mode:o}");
        }
    }

    #[test]
    fn links_are_left_alone_and_what_they_lead_to_is() {
        let directory = tempfile::tempdir().unwrap();
        let outside = directory.path().join("outside");
        fs::write(&outside, "").unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o4700)).unwrap();
        let tree = directory.path().join("tree");
        fs::create_dir_all(tree.join("closed")).unwrap();
        symlink(&outside, tree.join("link")).unwrap();
        symlink("/", tree.join("root")).unwrap();
        fs::write(tree.join("closed/file"), "12345").unwrap();
        let closed = fs::Permissions::from_mode(0o000);
        fs::set_permissions(tree.join("closed"), closed).unwrap();
        let cleaned = clean(&tree).unwrap();
        assert_eq!((cleaned.entries, cleaned.bytes), (4, 5));
        assert_eq!(outside.metadata().unwrap().mode() & 0o7777, 0o4700);
    }
}
