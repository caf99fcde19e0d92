//! The blobs that were fetched, in a directory by their digests, each whole or not at all.
//!
//! A blob is fetched into `incoming`, under a lock, so that two pulls fetch one that both need once; checked as it comes,
//! brought to the disk and renamed. Its time is when it was last used: what nobody uses goes first.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use image_files::write_behind;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, fsync, openat};
use rustix::io::Errno;

use super::digest::{Digest, Hasher};
use crate::pull::PullError;

const BUFFER: usize = 256 << 10;
/// How often another one's fetching is looked at.
const A_WHILE: Duration = Duration::from_millis(200);
/// How often a source is asked again that broke off.
const ATTEMPTS: u32 = 5;

/// Blobs in a directory.
#[derive(Debug, Clone)]
pub struct Blobs {
    directory: PathBuf,
}

/// Where a blob comes from.
pub(crate) trait Fetch {
    /// Its bytes from there on.
    fn open(&self, from: u64) -> Result<Box<dyn Read + '_>, PullError>;
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
        for name in ["", "incoming", "sha256", "sha512"] {
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
        match open(&path, OFlags::RDONLY) {
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(PullError::io("open", &path)(errno)),
            Ok(file) => {
                let now = file.set_modified(SystemTime::now());
                now.map_err(PullError::io("set the time of", &path))?;
                Ok(Some(file))
            }
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
        let found = write_behind(path, || receive(&mut file, path, digest, size, what, fetch))?;
        if found != *digest {
            return Err(PullError::Digest {
                what: what.to_owned(),
                found,
            });
        }
        let place = self.path(digest);
        file.sync_all()
            .and_then(|()| fs::rename(path, &place))
            .map_err(PullError::io("keep", &place))?;
        sync_above(&place)?;
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
        for name in ["sha256", "sha512"] {
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

/// Writes what comes, going on where a source breaks off. Its digest.
fn receive(
    file: &mut File,
    path: &Path,
    digest: &Digest,
    size: u64,
    what: &str,
    fetch: &dyn Fetch,
) -> Result<Digest, PullError> {
    let mut hasher = Hasher::new(digest.algorithm());
    let mut buffer = vec![0; BUFFER];
    let (mut done, mut failures) = (0, 0);
    loop {
        let mut failed = None;
        let before = done;
        let mut from = match fetch.open(done) {
            Err(PullError::Registry { .. }) if failures + 1 < ATTEMPTS => {
                failures += 1;
                thread::sleep(A_WHILE * failures);
                continue;
            }
            opened => opened?,
        };
        loop {
            let length = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            done += length as u64;
            if done > size {
                return Err(PullError::TooMuch {
                    what: what.to_owned(),
                    most: size,
                    unit: "bytes, which it should have",
                });
            }
            let piece = buffer.get(..length).unwrap_or_default();
            hasher.update(piece);
            file.write_all(piece)
                .map_err(PullError::io("write", path))?;
            if !fetch.goes_on(done) {
                return Err(PullError::Stopped);
            }
        }
        if done == size {
            return Ok(hasher.finish());
        }
        failures = if done > before { 1 } else { failures + 1 };
        if failures >= ATTEMPTS {
            let reason = failed.map_or("it ends too early".to_owned(), |error| error.to_string());
            return Err(PullError::Registry {
                operation: "read",
                url: what.to_owned(),
                reason,
            });
        }
        thread::sleep(A_WHILE * failures);
    }
}

fn open(path: &Path, flags: OFlags) -> Result<File, Errno> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    openat(CWD, path, flags, Mode::RUSR | Mode::WUSR).map(File::from)
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
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// Gives its content in pieces, and breaks off after each.
    struct Pieces<'a> {
        content: &'a [u8],
        piece: usize,
        opened: RefCell<Vec<u64>>,
        stops_at: u64,
    }

    impl<'a> Pieces<'a> {
        fn of(content: &'a [u8], piece: usize) -> Self {
            Self {
                content,
                piece,
                opened: RefCell::default(),
                stops_at: u64::MAX,
            }
        }
    }

    impl Fetch for Pieces<'_> {
        fn open(&self, from: u64) -> Result<Box<dyn Read + '_>, PullError> {
            self.opened.borrow_mut().push(from);
            let rest = &self.content[usize::try_from(from).unwrap()..];
            Ok(Box::new(&rest[..rest.len().min(self.piece)]))
        }

        fn goes_on(&self, bytes: u64) -> bool {
            bytes < self.stops_at
        }
    }

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(&directory.path().join("cache")).unwrap();
        (directory, blobs)
    }

    fn fetched(
        blobs: &Blobs,
        digest: &Digest,
        size: u64,
        from: &Pieces<'_>,
    ) -> Result<Vec<u8>, PullError> {
        let mut file = blobs.get_or_fetch(digest, size, "x", from)?;
        let mut content = vec![];
        file.read_to_end(&mut content).unwrap();
        Ok(content)
    }

    #[test]
    fn a_blob_is_fetched_once_and_where_its_source_broke_off() {
        let (_directory, blobs) = blobs();
        let content = b"some content";
        let digest = Digest::of(content);
        let source = Pieces::of(content, 5);
        assert_eq!(fetched(&blobs, &digest, 12, &source).unwrap(), content);
        assert_eq!(*source.opened.borrow(), [0, 5, 10]);
        assert_eq!(fetched(&blobs, &digest, 12, &source).unwrap(), content);
        assert_eq!(source.opened.borrow().len(), 3);
        assert!(files(&blobs.directory.join("incoming")).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_what_its_digest_says_is_not_kept() {
        let (_directory, blobs) = blobs();
        let digest = Digest::of(b"some content");
        for (content, size, fault) in [
            (&b"evil content"[..], 12, "its content is sha256:"),
            (b"some content and more", 12, "more than 12 bytes"),
            (b"some", 12, "ends too early"),
        ] {
            let error = fetched(&blobs, &digest, size, &Pieces::of(content, 100)).unwrap_err();
            assert!(error.to_string().contains(fault), "{error}");
            assert!(blobs.get(&digest).unwrap().is_none());
            assert!(files(&blobs.directory.join("incoming")).unwrap().is_empty());
        }
    }

    #[test]
    fn what_a_killed_fetch_has_left_is_neither_trusted_nor_kept() {
        let (_directory, blobs) = blobs();
        let content = b"some content";
        let digest = Digest::of(content);
        let left = blobs.directory.join("incoming").join(digest.hex());
        fs::write(&left, "evil and longer than the content").unwrap();
        let source = Pieces::of(content, 100);
        assert_eq!(fetched(&blobs, &digest, 12, &source).unwrap(), content);
        fs::write(&left, "evil").unwrap();
        assert_eq!(blobs.sweep(u64::MAX).unwrap(), Swept::default());
        assert!(!left.exists());
    }

    #[test]
    fn two_that_need_a_blob_fetch_it_once() {
        let (_directory, blobs) = blobs();
        let content = vec![7; 1 << 20];
        let digest = Digest::of(&content);
        let opened: usize = thread::scope(|scope| {
            let fetch = || {
                let source = Pieces::of(&content, usize::MAX);
                let found = fetched(&blobs, &digest, 1 << 20, &source).unwrap();
                assert_eq!(found, content);
                source.opened.borrow().len()
            };
            let others: Vec<_> = (0..4).map(|_| scope.spawn(fetch)).collect();
            others.into_iter().map(|other| other.join().unwrap()).sum()
        });
        assert_eq!(opened, 1);
    }

    #[test]
    fn whoever_waits_for_another_ones_fetching_can_be_stopped() {
        let (_directory, blobs) = blobs();
        let digest = Digest::of(b"x");
        let path = blobs.directory.join("incoming").join(digest.hex());
        let other = open(&path, OFlags::RDWR | OFlags::CREATE).unwrap();
        flock(&other, FlockOperation::LockExclusive).unwrap();
        let mut source = Pieces::of(b"x", 1);
        source.stops_at = 0;
        let error = fetched(&blobs, &digest, 1, &source).unwrap_err();
        assert!(matches!(error, PullError::Stopped));
        assert!(path.exists());
    }

    #[test]
    fn what_was_used_the_longest_ago_is_swept_up_first() {
        let (_directory, blobs) = blobs();
        let ago = Cell::new(1000);
        let put = |content: &[u8]| {
            let digest = Digest::of(content);
            let size = content.len() as u64;
            fetched(&blobs, &digest, size, &Pieces::of(content, 100)).unwrap();
            let file = blobs.get(&digest).unwrap().unwrap();
            ago.set(ago.get() - 1);
            let time = SystemTime::now() - Duration::from_secs(ago.get());
            file.set_modified(time).unwrap();
            digest
        };
        let [old, used, new] = [&b"old."[..], b"used", b"new."].map(put);
        let kept = blobs.get(&used).unwrap();
        assert_eq!(blobs.sweep(8).unwrap(), Swept { blobs: 1, bytes: 4 });
        assert!(
            blobs.path(&used).exists() && blobs.path(&new).exists() && !blobs.path(&old).exists()
        );
        assert_eq!(blobs.sweep(0).unwrap(), Swept { blobs: 2, bytes: 8 });
        let mut content = String::new();
        kept.unwrap().read_to_string(&mut content).unwrap();
        assert_eq!(content, "used");
    }
}
