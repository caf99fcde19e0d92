//! The blobs that were fetched, in a directory by their digests, each whole or not at all.
//!
//! A blob is fetched into `incoming`, under a lock, so that two pulls fetch one that both need once; checked as it comes
//! and renamed. Its time is when it was last used: what nobody uses goes first.
//!
//! Nobody waits until it is on the disk. As long as it isn't, its owner may write to it, and whoever finds it compares it
//! with its digest once more: a power failure may have left something else of it.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, fchmod, flock, fstat, fsync, openat};
use rustix::io::Errno;

use super::coming::{Blob, Coming};
use super::digest::{Digest, Hasher};
use super::receive::Receiving;
use crate::pull::PullError;

const BUFFER: usize = 256 << 10;
/// How often another one's fetching is looked at.
const A_WHILE: Duration = Duration::from_millis(200);

/// Where it is kept which layers images have, which takes up room as blobs do.
const LAYERS: &str = "layers";

/// Blobs in a directory.
#[derive(Debug, Clone)]
pub struct Blobs {
    directory: PathBuf,
}

/// Where a blob comes from.
pub(crate) trait Fetch {
    /// Its bytes from there on.
    fn open(&self, from: u64) -> Result<Box<dyn Read + '_>, PullError>;
    /// Whether it may be had that was kept for somebody else.
    fn may_have_it(&self) -> Result<(), PullError>;
    /// It begins to come, or is there: for whoever doesn't wait for its end.
    fn begins(&self, _: Blob) {}
    /// So many bytes of it are there; whether to go on.
    fn goes_on(&self, bytes: u64) -> bool;
}

/// What was swept up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Blobs {
    /// Those below `directory`, which is made.
    ///
    /// # Errors
    /// [`PullError::Io`].
    pub fn open(directory: &Path) -> Result<Self, PullError> {
        for name in ["", "incoming", "sha256", "sha512", LAYERS] {
            use std::os::unix::fs::DirBuilderExt;
            let path = directory.join(name);
            let mut builder = fs::DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(&path);
            made.map_err(PullError::io("make", &path))?;
        }
        Ok(Self {
            directory: directory.to_path_buf(),
        })
    }

    /// Where it is kept which layers images have.
    pub(crate) fn layers(&self) -> PathBuf {
        self.directory.join(LAYERS)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let algorithm = self.directory.join(digest.algorithm().name());
        algorithm.join(digest.hex())
    }

    /// The blob, if it is there; it is used now.
    ///
    /// # Errors
    /// [`PullError::Io`].
    pub fn get(&self, digest: &Digest) -> Result<Option<File>, PullError> {
        let path = self.path(digest);
        let mut file = match open(&path, OFlags::RDONLY) {
            Err(Errno::NOENT) => return Ok(None),
            opened => opened.map_err(PullError::io("open", &path))?,
        };
        if !is_settled(&file).map_err(PullError::io("look at", &path))? {
            let found = digest_of(&mut file, digest);
            if found.map_err(PullError::io("read", &path))? != *digest {
                fs::remove_file(&path).map_err(PullError::io("remove", &path))?;
                return Ok(None);
            }
        }
        let now = file.set_modified(SystemTime::now());
        now.map_err(PullError::io("set the time of", &path))?;
        Ok(Some(file))
    }

    /// Brings a blob to the disk, and writes down that it is there. What fails is only compared once more.
    pub fn settle(&self, digest: &Digest) {
        let path = self.path(digest);
        if let Ok(file) = open(&path, OFlags::RDONLY)
            && let Ok(false) = is_settled(&file)
            && file.sync_all().is_ok()
            && sync_above(&path).is_ok()
        {
            let _ = fchmod(&file, Mode::RUSR);
        }
    }

    /// The blob, fetched if it isn't there.
    ///
    /// # Errors
    /// [`PullError`]; nothing is there under its digest then.
    pub(crate) fn get_or_fetch(
        &self,
        digest: &Digest,
        size: u64,
        what: &str,
        fetch: &dyn Fetch,
    ) -> Result<File, PullError> {
        loop {
            if let Some(file) = self.get(digest)? {
                fetch.may_have_it()?;
                let path = self.path(digest);
                let blob = file.try_clone().and_then(Blob::of);
                fetch.begins(blob.map_err(PullError::io("open", &path))?);
                return Ok(file);
            }
            let path = self.directory.join("incoming").join(digest.hex());
            let file = open(&path, OFlags::RDWR | OFlags::CREATE);
            let file = file.map_err(PullError::io("make", &path))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    if !fetch.goes_on(0) {
                        return Err(PullError::Stopped);
                    }
                    thread::sleep(A_WHILE);
                    continue;
                }
                Err(errno) => return Err(PullError::io("lock", &path)(errno)),
            }
            if !is_at(&file, &path) {
                // Whoever had the lock has put it in its place.
                continue;
            }
            let fetched = self.fetch(&path, file, digest, size, what, fetch);
            if fetched.is_err() {
                // Still locked: it is nobody else's.
                let _ = fs::remove_file(&path);
            }
            return fetched;
        }
    }

    fn fetch(
        &self,
        path: &Path,
        mut file: File,
        digest: &Digest,
        size: u64,
        what: &str,
        fetch: &dyn Fetch,
    ) -> Result<File, PullError> {
        // What is left of a fetch that was killed isn't trusted.
        file.set_len(0).map_err(PullError::io("cut", path))?;
        let coming = Coming::new();
        let copy = file.try_clone().map_err(PullError::io("open", path))?;
        fetch.begins(coming.blob(copy));
        let receiving = Receiving {
            file: &file,
            path,
            algorithm: digest.algorithm(),
            size,
            what,
            fetch,
            coming: &coming,
        };
        let found = receiving.receive()?;
        if found != *digest {
            return Err(PullError::Digest {
                what: what.to_owned(),
                found,
            });
        }
        let place = self.path(digest);
        fs::rename(path, &place).map_err(PullError::io("keep", &place))?;
        coming.end(size);
        file.rewind().map_err(PullError::io("read", &place))?;
        Ok(file)
    }

    /// Takes away what was used the longest ago, until the rest has no more than so many bytes; and what was left of
    /// fetches that were killed. Whoever has a blob open keeps it.
    ///
    /// # Errors
    /// [`PullError::Io`].
    pub fn sweep(&self, most: u64) -> Result<Swept, PullError> {
        let incoming = self.directory.join("incoming");
        for path in files(&incoming)? {
            if let Ok(file) = open(&path, OFlags::RDWR)
                && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
                && is_at(&file, &path)
            {
                fs::remove_file(&path).map_err(PullError::io("remove", &path))?;
            }
        }
        let mut blobs = vec![];
        for name in ["sha256", "sha512", LAYERS] {
            for path in files(&self.directory.join(name))? {
                // Another sweep may be faster.
                let Ok(found) = fs::symlink_metadata(&path) else {
                    continue;
                };
                let used = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                blobs.push((used, found.len(), path));
            }
        }
        blobs.sort();
        let mut total: u64 = blobs.iter().map(|(_, size, _)| size).sum();
        let mut swept = Swept::default();
        for (_, size, path) in blobs {
            if total <= most {
                break;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(PullError::io("remove", &path)(error));
                }
                _ => {}
            }
            total -= size;
            swept.blobs += 1;
            swept.bytes += size;
        }
        Ok(swept)
    }
}

fn open(path: &Path, flags: OFlags) -> Result<File, Errno> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    openat(CWD, path, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// Whether a blob is known to be on the disk.
fn is_settled(file: &File) -> Result<bool, Errno> {
    Ok(fstat(file)?.st_mode & Mode::WUSR.as_raw_mode() == 0)
}

fn digest_of(file: &mut File, like: &Digest) -> io::Result<Digest> {
    let mut hasher = Hasher::new(like.algorithm());
    io::copy(&mut BufReader::with_capacity(BUFFER, &*file), &mut hasher)?;
    file.rewind()?;
    Ok(hasher.finish())
}

/// Whether the file is still the one at this path.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |found: rustix::fs::Stat| (found.st_dev, found.st_ino);
    let there = rustix::fs::lstat(path).map(identity);
    there.is_ok() && there == rustix::fs::fstat(file).map(identity)
}

fn sync_above(path: &Path) -> Result<(), PullError> {
    let above = path.parent().unwrap_or(path);
    let opened = open(above, OFlags::RDONLY | OFlags::DIRECTORY);
    opened
        .and_then(fsync)
        .map_err(PullError::io("write to the disk", above))
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, PullError> {
    let failed = || PullError::io("read", directory);
    let entries = fs::read_dir(directory).map_err(failed())?;
    entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed()))
        .collect()
}

#[cfg(test)]
mod tests;
