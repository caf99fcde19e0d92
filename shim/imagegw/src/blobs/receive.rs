//! A blob that comes, into its file and through its hash.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread::{self, Scope};
use std::time::Duration;

use super::aside::{Aside, Pieces};
use super::coming::Coming;
use super::digest::{Algorithm, Digest};
use super::store::Fetch;
use crate::pull::PullError;

const BUFFER: usize = 256 << 10;
/// How long a source is left alone that broke off, at first.
const A_WHILE: Duration = Duration::from_millis(200);
/// How often a source is asked again that broke off.
const ATTEMPTS: u32 = 5;

/// What is received.
pub(super) struct Receiving<'a> {
    /// Where it goes, and what that is called.
    pub(super) file: &'a File,
    pub(super) path: &'a Path,
    pub(super) algorithm: Algorithm,
    /// How long it is.
    pub(super) size: u64,
    pub(super) what: &'a str,
    pub(super) fetch: &'a dyn Fetch,
    pub(super) coming: &'a Coming,
}

impl Receiving<'_> {
    /// Writes what comes, going on where a source breaks off. Its digest.
    pub(super) fn receive(self) -> Result<Digest, PullError> {
        thread::scope(|scope| {
            let hashed = Hashed::begin(scope, self.algorithm);
            self.through(hashed)
        })
    }

    fn through(self, mut hashed: Hashed<'_>) -> Result<Digest, PullError> {
        let (mut done, mut failures) = (0, 0);
        loop {
            let before = done;
            let from = match self.fetch.open(done) {
                Err(PullError::Registry { .. }) if failures + 1 < ATTEMPTS => {
                    failures += 1;
                    thread::sleep(A_WHILE * failures);
                    continue;
                }
                opened => opened?,
            };
            let failed = self.take_from(from, &mut done, &mut hashed)?;
            if done == self.size {
                return Ok(hashed.finish());
            }
            failures = if done > before { 1 } else { failures + 1 };
            if failures >= ATTEMPTS {
                let reason =
                    failed.map_or("it ends too early".to_owned(), |error| error.to_string());
                return Err(PullError::Registry {
                    operation: "read",
                    url: self.what.to_owned(),
                    reason,
                });
            }
            thread::sleep(A_WHILE * failures);
        }
    }

    /// Writes all that `from` has, which `done` counts; why it broke off, if it did.
    fn take_from(
        &self,
        mut from: impl Read,
        done: &mut u64,
        hashed: &mut Hashed<'_>,
    ) -> Result<Option<io::Error>, PullError> {
        loop {
            let length = match from.read(hashed.room()) {
                Ok(0) => return Ok(None),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Some(error)),
            };
            *done += length as u64;
            if *done > self.size {
                return Err(PullError::TooMuch {
                    what: self.what.to_owned(),
                    most: self.size,
                    unit: "bytes, which it should have",
                });
            }
            let mut file = self.file;
            file.write_all(hashed.take(length))
                .map_err(PullError::io("write", self.path))?;
            self.coming.there(*done);
            if !self.fetch.goes_on(*done) {
                return Err(PullError::Stopped);
            }
        }
    }
}

/// What comes is hashed aside, when there is a piece of it.
struct Hashed<'scope> {
    aside: Aside<'scope>,
    pieces: Pieces,
    piece: Vec<u8>,
    filled: usize,
}

impl<'scope> Hashed<'scope> {
    fn begin<'env>(scope: &'scope Scope<'scope, 'env>, algorithm: Algorithm) -> Self {
        let mut pieces = Pieces::new(BUFFER);
        Self {
            aside: Aside::begin(scope, algorithm),
            piece: pieces.room(),
            pieces,
            filled: 0,
        }
    }

    /// Where there is room for more, which there always is.
    fn room(&mut self) -> &mut [u8] {
        if self.filled == self.piece.len() {
            self.hand_over();
        }
        self.piece.get_mut(self.filled..).unwrap_or_default()
    }

    /// So many bytes came there: these.
    fn take(&mut self, length: usize) -> &[u8] {
        let from = self.filled;
        self.filled += length;
        self.piece.get(from..self.filled).unwrap_or_default()
    }

    fn hand_over(&mut self) {
        let room = self.pieces.room();
        let mut piece = std::mem::replace(&mut self.piece, room);
        piece.truncate(self.filled);
        self.filled = 0;
        self.aside.update(self.pieces.share(piece));
    }

    fn finish(mut self) -> Digest {
        self.hand_over();
        self.aside.finish()
    }
}
