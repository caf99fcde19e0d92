//! A blob that is read while it comes. Its end is there only once it is known to be what its digest says.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Far {
    /// So many bytes are there.
    Coming(u64),
    /// All of them, and they are the right ones.
    Whole(u64),
    /// They won't, or aren't.
    Lost,
}

#[derive(Debug)]
struct Shared {
    far: Mutex<Far>,
    more: Condvar,
}

impl Shared {
    fn far(&self) -> MutexGuard<'_, Far> {
        // A number is never half written.
        self.far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever fetches it. Dropped before it is whole, it is lost.
#[derive(Debug)]
pub(super) struct Coming(Arc<Shared>);

impl Coming {
    pub(super) fn new() -> Self {
        let far = Mutex::new(Far::Coming(0));
        let more = Condvar::new();
        Self(Arc::new(Shared { far, more }))
    }

    /// What comes into `file`, to be read from there.
    pub(super) fn blob(&self, file: File) -> Blob {
        Blob {
            file,
            position: 0,
            is_compared: true,
            shared: Arc::clone(&self.0),
        }
    }

    /// So many bytes of it are there.
    pub(super) fn there(&self, bytes: u64) {
        self.set(Far::Coming(bytes));
    }

    /// It has so many bytes, which are those that it should have.
    pub(super) fn end(self, bytes: u64) {
        self.set(Far::Whole(bytes));
    }

    fn set(&self, far: Far) {
        *self.0.far() = far;
        self.0.more.notify_all();
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        let is_whole = matches!(*self.0.far(), Far::Whole(_));
        if !is_whole {
            self.set(Far::Lost);
        }
    }
}

/// A blob's bytes, from the first to the last.
#[derive(Debug)]
pub(crate) struct Blob {
    file: File,
    position: u64,
    is_compared: bool,
    shared: Arc<Shared>,
}

/// What becomes of a [`Blob`].
#[derive(Debug, Clone)]
pub(crate) struct Fate(Arc<Shared>);

impl Fate {
    /// Whether it won't be there, which whoever fetches it says why.
    pub(crate) fn is_lost(&self) -> bool {
        *self.0.far() == Far::Lost
    }
}

impl Blob {
    /// One that is there.
    pub(crate) fn of(file: File) -> io::Result<Self> {
        let coming = Coming::new();
        let length = file.metadata()?.len();
        let mut blob = coming.blob(file);
        blob.is_compared = false;
        coming.end(length);
        Ok(blob)
    }

    /// Whether whoever has read it to its end knows that it is what its digest says, by what was fetched just now.
    pub(crate) fn is_compared(&self) -> bool {
        self.is_compared
    }

    pub(crate) fn fate(&self) -> Fate {
        Fate(Arc::clone(&self.shared))
    }
}

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut far = self.shared.far();
        let there = loop {
            match *far {
                Far::Whole(bytes) => break bytes,
                Far::Coming(bytes) if bytes > self.position => break bytes,
                Far::Coming(_) => {
                    let woken = self.shared.more.wait(far);
                    far = woken.unwrap_or_else(PoisonError::into_inner);
                }
                Far::Lost => return Err(io::Error::other("it isn't fetched")),
            }
        };
        drop(far);
        let most = usize::try_from(there.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let length = self.file.read_at(buffer, self.position)?;
        self.position += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::thread;

    use super::*;

    #[test]
    fn what_is_there_is_read_and_the_end_is_waited_for() {
        let mut file = tempfile::tempfile().unwrap();
        let coming = Coming::new();
        let mut blob = coming.blob(file.try_clone().unwrap());
        let reading = thread::spawn(move || {
            let mut content = vec![];
            let read = blob.read_to_end(&mut content);
            assert!(blob.is_compared());
            (content, read.is_ok(), blob.fate().is_lost())
        });
        for piece in ["one ", "two"] {
            file.write_all(piece.as_bytes()).unwrap();
            coming.there(file.metadata().unwrap().len());
            thread::yield_now();
        }
        assert!(!reading.is_finished());
        coming.end(7);
        let (content, is_whole, is_lost) = reading.join().unwrap();
        assert_eq!(
            (&content[..], is_whole, is_lost),
            (&b"one two"[..], true, false)
        );
    }

    #[test]
    fn one_that_was_there_is_not_known_to_be_what_it_was() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"all").unwrap();
        let mut blob = Blob::of(file).unwrap();
        assert!(!blob.is_compared());
        let mut content = vec![];
        blob.read_to_end(&mut content).unwrap();
        assert_eq!(content, b"all");
    }

    #[test]
    fn one_that_is_lost_has_no_end() {
        let mut file = tempfile::tempfile().unwrap();
        let coming = Coming::new();
        let mut blob = coming.blob(file.try_clone().unwrap());
        file.write_all(b"all").unwrap();
        coming.there(3);
        drop(coming);
        assert!(blob.read_to_end(&mut vec![]).is_err() && blob.fate().is_lost());
    }
}
