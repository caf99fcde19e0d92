//! Files that were read and found to be right, so that nobody reads them again until they change.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, Mode, OFlags, fstat, mkdirat, openat};
use rustix::process::geteuid;

/// A file that changes as soon after another change as this may keep its time: the clock of file systems has steps.
const STEP: Duration = Duration::from_secs(2);

/// A directory with a file for each of them, which nobody else can write to. It is made when there is something to note.
#[derive(Debug)]
pub struct Known {
    above: OwnedFd,
    name: &'static str,
}

/// Which file it is, and since when it is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Known {
    /// `checked` in the directory `above`, which is the caller's alone. None where that can't be opened once more.
    pub fn below(above: impl AsFd) -> Option<Self> {
        let above = above.as_fd().try_clone_to_owned().ok()?;
        let name = "checked";
        Some(Self { above, name })
    }

    /// That of a user, in the directory that the login session has made for it. None where it has made none.
    pub fn of_this_user() -> Option<Self> {
        let session = std::env::var_os("XDG_RUNTIME_DIR")?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above = openat(CWD, &session, flags, Mode::empty()).ok()?;
        let name = "shifter-checked";
        is_ones_own(&above).then_some(Self { above, name })
    }

    fn directory(&self) -> Option<OwnedFd> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(&self.above, self.name, flags, Mode::empty()).ok()?;
        is_ones_own(&directory).then_some(directory)
    }

    /// Whether the file was found to have this digest, and is as it was then.
    pub(super) fn has(&self, stamp: &Stamp, digest: &str) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self
            .directory()
            .and_then(|directory| openat(directory, stamp.name(), flags, Mode::empty()).ok());
        let Some(file) = file else {
            return false;
        };
        let mut text = String::new();
        let read = File::from(file).take(1024).read_to_string(&mut text);
        read.is_ok() && text == stamp.text(digest)
    }

    /// Notes that it has. Where that fails, all of it is read again.
    pub(super) fn note(&self, stamp: &Stamp, digest: &str) {
        if !stamp.is_settled() {
            return;
        }
        // What is wrong with it shows when it is opened.
        let _ = mkdirat(&self.above, self.name, Mode::RWXU);
        let Some(directory) = self.directory() else {
            return;
        };
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        if let Ok(file) = openat(&directory, stamp.name(), flags, mode) {
            // One that is cut off says nothing.
            let _ = File::from(file).write_all(stamp.text(digest).as_bytes());
        }
    }
}

fn is_ones_own(directory: impl AsFd) -> bool {
    fstat(directory)
        .is_ok_and(|status| status.st_uid == geteuid().as_raw() && status.st_mode & 0o077 == 0)
}

impl Stamp {
    pub(super) fn of(file: impl AsFd) -> io::Result<Self> {
        let status = fstat(file)?;
        Ok(Self {
            device: status.st_dev,
            inode: status.st_ino,
            size: status.st_size,
            modified: (status.st_mtime, status.st_mtime_nsec),
            changed: (status.st_ctime, status.st_ctime_nsec),
        })
    }

    fn name(&self) -> String {
        format!("{:x}-{:x}", self.device, self.inode)
    }

    fn text(&self, digest: &str) -> String {
        let Self {
            size,
            modified,
            changed,
            ..
        } = self;
        format!(
            "size {size} modified {}.{:09} changed {}.{:09} {digest}\n",
            modified.0, modified.1, changed.0, changed.1
        )
    }

    /// Whether its last change is so long ago that another one would show.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let changed = u64::try_from(self.changed.0).map(Duration::from_secs);
        changed.is_ok_and(|changed| changed + STEP < now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            device: 1,
            inode: 2,
            size: 3,
            modified: (4, 5),
            changed: (6, 7),
        }
    }

    fn known(place: &tempfile::TempDir) -> Known {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        Known::below(openat(CWD, place.path(), flags, Mode::empty()).unwrap()).unwrap()
    }

    #[test]
    fn a_file_is_known_as_long_as_nothing_of_it_changes() {
        let place = tempfile::tempdir().unwrap();
        let known = known(&place);
        let stamp = stamp();
        assert!(!known.has(&stamp, "sha256:a"));
        known.note(&stamp, "sha256:a");
        assert!(known.has(&stamp, "sha256:a"));
        assert!(!known.has(&stamp, "sha256:b"));
        for other in [
            Stamp { device: 9, ..stamp },
            Stamp { inode: 9, ..stamp },
            Stamp { size: 9, ..stamp },
            Stamp {
                modified: (4, 6),
                ..stamp
            },
            Stamp {
                changed: (6, 8),
                ..stamp
            },
        ] {
            assert!(!known.has(&other, "sha256:a"), "{other:?}");
        }
        let file = place.path().join("checked/1-2");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, &text[..text.len() - 1]).unwrap();
        assert!(!known.has(&stamp, "sha256:a"), "cut off");
    }

    #[test]
    fn what_changed_just_now_may_change_again_unseen() {
        let place = tempfile::tempdir().unwrap();
        let known = known(&place);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let changed = (i64::try_from(now.as_secs()).unwrap(), 0);
        let stamp = Stamp { changed, ..stamp() };
        known.note(&stamp, "sha256:a");
        assert!(!known.has(&stamp, "sha256:a"));
    }

    #[test]
    fn a_directory_that_others_get_into_says_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("checked");
        std::fs::create_dir(&directory).unwrap();
        let mode = std::fs::Permissions::from_mode(0o770);
        std::fs::set_permissions(&directory, mode).unwrap();
        let known = known(&place);
        known.note(&stamp(), "sha256:a");
        assert!(!known.has(&stamp(), "sha256:a"));
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&directory, mode).unwrap();
        known.note(&stamp(), "sha256:a");
        assert!(known.has(&stamp(), "sha256:a"));
    }
}
