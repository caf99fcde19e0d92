//! Where a conversion works, beside its destination.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, fstat, mkdir, openat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::clean::clean;
use super::error::ConvertError;

/// What the directory is called, before the process's number and its own.
const PREFIX: &str = ".shifter-convert-";

/// A directory that nobody else gets into, and that vanishes; what was killed leaves it to the next one.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Locked as long as it is in use, which ends with this process, however that ends.
    _lock: File,
}

impl Scratch {
    /// A new one in `above`, where those of this user's that nobody uses any more are taken away.
    ///
    /// # Errors
    /// [`ConvertError::Io`].
    pub fn new(above: &Path) -> Result<Self, ConvertError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        sweep(above);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = above.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match mkdir(&path, Mode::RWXU) {
                Ok(()) => {}
                // Of a process that has this number somewhere else, and is at work.
                Err(Errno::EXIST) => continue,
                Err(errno) => return Err(ConvertError::io("make", &path)(errno)),
            }
            match lock(&path) {
                Ok(lock) => return Ok(Self { path, _lock: lock }),
                // Another process has taken it for one that was left, in the moment between.
                Err(Errno::WOULDBLOCK | Errno::NOENT) => {}
                Err(errno) => {
                    let _ = fs::remove_dir(&path);
                    return Err(ConvertError::io("lock", &path)(errno));
                }
            }
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Takes away what conversions have left in `above` that were killed, and nothing that is in use. What can't be taken away
/// stays: a new one needs nothing of it.
pub fn sweep(above: &Path) {
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let is_one = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes());
        let path = entry.path();
        if is_one && let Ok(_lock) = lock(&path) {
            remove(&path);
        }
    }
}

fn remove(path: &Path) {
    // An unpacked directory may be closed even to its owner.
    let _ = clean(path);
    let _ = fs::remove_dir_all(path);
}

/// Locks a directory of this user's that is still there.
fn lock(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty())?;
    let status = fstat(&directory)?;
    if status.st_uid != geteuid().as_raw() {
        return Err(Errno::PERM);
    }
    flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
    match fstat(&directory)?.st_nlink {
        0 => Err(Errno::NOENT),
        _ => Ok(directory.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_was_killed_is_swept_up_and_nothing_that_is_in_use() {
        let above = tempfile::tempdir().unwrap();
        let at = |name: &str| above.path().join(name);
        let used = Scratch::new(above.path()).unwrap();
        fs::create_dir_all(at(".shifter-convert-1/tree/closed/deep")).unwrap();
        let closed = fs::Permissions::from_mode(0o000);
        fs::set_permissions(at(".shifter-convert-1/tree/closed"), closed).unwrap();
        fs::create_dir(at(".shifter-convert-2-0")).unwrap();
        fs::create_dir(at("elsewhere")).unwrap();
        symlink("elsewhere", at(".shifter-convert-3")).unwrap();
        fs::write(at(".shifter-convert-file"), "").unwrap();
        let next = Scratch::new(above.path()).unwrap();
        for (path, is_there) in [
            (used.path().to_path_buf(), true),
            (next.path().to_path_buf(), true),
            (at(".shifter-convert-1"), false),
            (at(".shifter-convert-2-0"), false),
            (at("elsewhere"), true),
            (at(".shifter-convert-file"), true),
        ] {
            assert_eq!(path.exists(), is_there, "{}", path.display());
        }
        let path = used.path().to_path_buf();
        drop(used);
        assert!(!path.exists());
    }
}
