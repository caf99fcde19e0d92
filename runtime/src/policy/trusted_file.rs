//! Reading a file that only the administrator can have written.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use super::{Error, Result};
use crate::kernel_file;
use crate::own_user_namespace::maps_everybody;

/// The largest file that is read, bytes.
const MAX_SIZE: u64 = 1 << 20;

const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Reads the file at the absolute `path`; `None` where there is none.
///
/// The file and every directory above it must be root's, or the caller's own where he isn't root, and nobody else
/// may write to them. No link is followed: whoever made it would choose the file.
///
/// # Errors
/// [`Error::Untrusted`], naming the file or directory that others can change.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    let failed = |source: io::Error| Error::Read {
        path: path.to_path_buf(),
        source,
    };
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let mut text = String::new();
    let read = file.by_ref().take(MAX_SIZE + 1).read_to_string(&mut text);
    if read.map_err(failed)? as u64 > MAX_SIZE {
        return Err(untrusted(path, format!("is larger than {MAX_SIZE} bytes")));
    }
    Ok(Some(text))
}

fn open(path: &Path) -> Result<Option<File>> {
    let owners = Owners::of_this_process();
    let mut so_far = PathBuf::from("/");
    let mut directory = step(CWD, &so_far, &so_far, OFlags::PATH)?;
    let names: Vec<Component<'_>> = path.components().skip(1).collect();
    let Some((last, above)) = names.split_last() else {
        return Err(untrusted(path, "is no file".to_owned()));
    };
    for name in above {
        let Some(parent) = &directory else {
            return Ok(None);
        };
        owners.check(parent, &so_far, FileType::Directory)?;
        so_far.push(name);
        directory = step(parent, name.as_os_str().as_ref(), &so_far, OFlags::PATH)?;
    }
    let Some(parent) = directory else {
        return Ok(None);
    };
    owners.check(&parent, &so_far, FileType::Directory)?;
    // A FIFO in its place must not block.
    let Some(file) = step(&parent, last.as_os_str().as_ref(), path, OFlags::NONBLOCK)? else {
        return Ok(None);
    };
    owners.check(&file, path, FileType::RegularFile)?;
    Ok(Some(file.into()))
}

fn step(
    directory: impl std::os::fd::AsFd,
    name: &Path,
    shown: &Path,
    flags: OFlags,
) -> Result<Option<OwnedFd>> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(directory, name, flags, Mode::empty()) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::LOOP) => Err(untrusted(shown, "is a symbolic link".to_owned())),
        Err(errno) => Err(Error::Read {
            path: shown.to_path_buf(),
            source: errno.into(),
        }),
    }
}

fn untrusted(path: &Path, reason: String) -> Error {
    Error::Untrusted {
        path: path.to_path_buf(),
        reason,
    }
}

/// Whose files are taken at their word.
struct Owners {
    own: u32,
    /// As whom root appears in a user namespace that doesn't map him.
    unmapped_root: Option<u32>,
}

impl Owners {
    fn of_this_process() -> Self {
        let number = |path| kernel_file::read(path).ok()?.trim().parse().ok();
        Self {
            own: nix::unistd::geteuid().as_raw(),
            unmapped_root: (!maps_everybody().unwrap_or_default())
                .then(|| number("/proc/sys/kernel/overflowuid"))
                .flatten(),
        }
    }

    fn check(&self, file: &OwnedFd, path: &Path, wanted: FileType) -> Result<()> {
        let stat = fstat(file).map_err(|errno| Error::Read {
            path: path.to_path_buf(),
            source: errno.into(),
        })?;
        match self.what_is_wrong(&stat, wanted) {
            Some(reason) => Err(untrusted(path, reason)),
            None => Ok(()),
        }
    }

    fn what_is_wrong(&self, stat: &Stat, wanted: FileType) -> Option<String> {
        let found = FileType::from_raw_mode(stat.st_mode);
        if found != wanted {
            // O_PATH opens a link itself.
            let what = match (found, wanted) {
                (FileType::Symlink, _) => "is a symbolic link",
                (_, FileType::Directory) => "is no directory",
                _ => "is no regular file",
            };
            return Some(what.to_owned());
        }
        let owner = stat.st_uid;
        if owner != 0 && owner != self.own && Some(owner) != self.unmapped_root {
            return Some(format!("belongs to uid {owner}, not to root"));
        }
        // In a sticky directory nobody can replace another's file.
        let sticky = wanted == FileType::Directory && stat.st_mode & STICKY != 0;
        (stat.st_mode & WRITABLE_BY_OTHERS != 0 && !sticky).then(|| {
            format!(
                "can be written by others (mode {:04o})",
                stat.st_mode & 0o7777
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn place() -> tempfile::TempDir {
        tempfile::tempdir_in("/var/tmp").unwrap()
    }

    #[test]
    fn absent_is_none_wherever_the_path_ends() {
        let place = place();
        assert!(read(&place.path().join("none")).unwrap().is_none());
        assert!(read(&place.path().join("no/such/file")).unwrap().is_none());
    }

    #[test]
    fn what_others_can_change_is_refused() {
        let place = place();
        let file = place.path().join("config.toml");
        write(&file, "x = 1").unwrap();
        let mode = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
        mode(&file, 0o644);
        assert_eq!(read(&file).unwrap().as_deref(), Some("x = 1"));
        for writable in [0o664, 0o646] {
            mode(&file, writable);
            let error = read(&file).unwrap_err().to_string();
            assert!(
                error.contains("config.toml can be written by others"),
                "{error}"
            );
        }
        mode(&file, 0o644);
        mode(place.path(), 0o777);
        assert!(read(&file).is_err());
        mode(place.path(), 0o1777);
        assert!(read(&file).is_ok());
        mode(place.path(), 0o755);
    }

    #[test]
    fn links_directories_and_others_files_are_refused() {
        let place = place();
        let file = place.path().join("real");
        write(&file, "").unwrap();
        let link = place.path().join("link");
        symlink(&file, &link).unwrap();
        assert!(
            read(&link)
                .unwrap_err()
                .to_string()
                .contains("symbolic link")
        );
        let turn = place.path().join("turn");
        symlink(place.path(), &turn).unwrap();
        assert!(
            read(&turn.join("real"))
                .unwrap_err()
                .to_string()
                .contains("symbolic link")
        );
        assert!(
            read(place.path())
                .unwrap_err()
                .to_string()
                .contains("no regular file")
        );
    }

    #[test]
    fn a_strangers_file_is_refused() {
        let owners = Owners {
            own: 1000,
            unmapped_root: Some(65_534),
        };
        let mut stat = fstat(File::open("/proc/self/status").unwrap()).unwrap();
        let mut judge = |uid| {
            stat.st_uid = uid;
            owners.what_is_wrong(&stat, FileType::RegularFile)
        };
        for trusted in [0, 1000, 65_534] {
            assert_eq!(judge(trusted), None, "{trusted}");
        }
        assert!(judge(1001).unwrap().contains("belongs to uid 1001"));
    }
}
