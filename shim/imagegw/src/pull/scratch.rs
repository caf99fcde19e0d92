//! A directory for one pull, which nobody else gets into and which vanishes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, mkdir, openat};
use rustix::io::Errno;

use super::error::PullError;

const PREFIX: &str = "pull-";

/// The directory.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    /// Locked as long as it is in use, which ends with this process.
    _lock: File,
}

impl Scratch {
    pub(super) fn new(above: &Path) -> Result<Self, PullError> {
        let path = above.join(format!("{PREFIX}{}", number()));
        mkdir(&path, Mode::RWXU).map_err(PullError::io("make", &path))?;
        let lock = lock(&path).map_err(PullError::io("lock", &path))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where the image's tree belongs.
    pub(super) fn tree(&self) -> PathBuf {
        self.path.join("tree")
    }

    /// Takes away what pulls have left that were killed.
    pub(super) fn sweep(above: &Path) -> Result<(), PullError> {
        let failed = || PullError::io("read", above);
        for entry in fs::read_dir(above).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            let name = path.file_name().unwrap_or_default();
            if name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) && lock(&path).is_ok() {
                fs::remove_dir_all(&path).map_err(PullError::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What no other name of this process's and this moment's has.
pub(super) fn number() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}", std::process::id())
}

fn lock(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty())?;
    flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
    Ok(directory.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_pull_has_left_is_swept_up_and_nothing_that_is_in_use() {
        let above = tempfile::tempdir().unwrap();
        let used = Scratch::new(above.path()).unwrap();
        let left = above.path().join("pull-1-1");
        fs::create_dir_all(left.join("tree/a")).unwrap();
        fs::create_dir(above.path().join("other")).unwrap();
        Scratch::sweep(above.path()).unwrap();
        assert!(used.path.exists() && !left.exists() && above.path().join("other").exists());
        let path = used.path.clone();
        drop(used);
        assert!(!path.exists());
    }
}
