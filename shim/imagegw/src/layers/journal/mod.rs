//! What is written down of layers while they are laid upon an image, so that a later image can have them from there: the
//! archive without the contents of its files, and where in the image those are.
//!
//! Nothing of it is believed. What is put together again is a layer like one that is fetched: it is read as an archive of a
//! stranger's within the same bounds, and has to have the digest, unpacked, that it should. So the rules can change, the
//! image can be written to, the journal can be damaged: what comes of it then has another digest, or is no archive.

mod recording;
mod replay;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

pub(in crate::layers) use recording::Tap;
pub(crate) use recording::{Recorded, Recording};
pub(crate) use replay::Replay;

/// The most bytes that are kept of a layer: of its journal, and of contents that later layers took away. One that needs
/// more isn't had from an image.
const MOST: u64 = 64 << 20;

/// What follows in a journal.
const BETWEEN: u8 = 0;
const ZEROS: u8 = 1;
const CONTENT: u8 = 2;

/// A part of a file.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) file: Arc<File>,
    pub(crate) at: u64,
    pub(crate) left: u64,
}

impl Part {
    /// All of it has to be there.
    fn broken() -> io::Error {
        io::ErrorKind::UnexpectedEof.into()
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let length = self.file.read_at(buffer, self.at)?;
        if length == 0 && most > 0 {
            return Err(Self::broken());
        }
        self.at += length as u64;
        self.left -= length as u64;
        Ok(length)
    }
}
