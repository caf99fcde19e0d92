//! How much an image may hold, and what is left of it.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use serde::Deserialize;

use super::error::LayerError;

/// What an archive is made of, bytes.
const BLOCK: u64 = 512;

/// The most bytes that are read for one entry besides a file's content: headers, long names, attributes.
const HEADERS: u64 = 1 << 20;

/// What an image may hold, all layers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// Bytes of its layers, unpacked.
    pub bytes: u64,
    /// Entries of its layers: files, directories, links, and what takes them away.
    pub entries: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: 64 << 30,
            entries: 4_000_000,
        }
    }
}

/// What is left of the bounds while layers are read.
#[derive(Debug)]
pub(super) struct Left {
    bounds: Bounds,
    bytes: Cell<u64>,
    entries: Cell<u64>,
    headers: Cell<u64>,
    padding: Cell<u64>,
}

impl Left {
    pub(super) fn of(bounds: Bounds) -> Rc<Self> {
        Rc::new(Self {
            bounds,
            bytes: Cell::new(bounds.bytes),
            entries: Cell::new(bounds.entries),
            headers: Cell::new(HEADERS),
            padding: Cell::new(0),
        })
    }

    /// Bytes that were read so far.
    pub(super) fn read(&self) -> u64 {
        self.bounds.bytes - self.bytes.get()
    }

    /// The next entry's headers are read.
    pub(super) fn next_entry(&self) {
        self.headers.set(HEADERS);
    }

    /// An entry's content is read, or what is behind the last entry.
    pub(super) fn content(&self) {
        self.headers.set(u64::MAX);
    }

    /// What follows a file of this size fills its last block; it may be missing at the end of an archive, as umoci's
    /// `insert` leaves it.
    pub(super) fn padding(&self, size: u64) {
        self.padding.set(size.next_multiple_of(BLOCK) - size);
    }

    /// Counts one more entry.
    pub(super) fn entry(&self) -> Result<(), LayerError> {
        let left = self.entries.get().checked_sub(1);
        let left = left.ok_or(LayerError::TooMuch {
            most: self.bounds.entries,
            unit: "entries",
        })?;
        self.entries.set(left);
        Ok(())
    }

    /// Whether a file of this size can still be there; what a header says is checked before a byte is written.
    pub(super) fn has_room(&self, size: u64) -> Result<(), LayerError> {
        match size <= self.bytes.get() {
            true => Ok(()),
            false => Err(self.too_large()),
        }
    }

    pub(super) fn too_large(&self) -> LayerError {
        LayerError::TooMuch {
            most: self.bounds.bytes,
            unit: "bytes, unpacked",
        }
    }

    /// What it means that reading failed.
    pub(super) fn why(&self, error: &io::Error) -> LayerError {
        match self.bytes.get() {
            0 => self.too_large(),
            _ => LayerError::Broken(error.to_string()),
        }
    }

    /// Takes holes of sparse files, which are no bytes of the archive, as what they are once they are written.
    pub(super) fn hole(&self, bytes: u64) -> Result<(), LayerError> {
        let left = self.bytes.get().checked_sub(bytes);
        self.bytes.set(left.ok_or_else(|| self.too_large())?);
        Ok(())
    }
}

/// A layer, unpacked, on its leash.
#[derive(Debug)]
pub(super) struct Leashed<R> {
    pub(super) inner: R,
    pub(super) left: Rc<Left>,
}

impl<R: Read> Read for Leashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (bytes, headers) = (self.left.bytes.get(), self.left.headers.get());
        if bytes == 0 {
            // At the very end of what is allowed, the end is still one.
            let more = self.inner.read(&mut [0])?;
            return match more {
                0 => Ok(0),
                _ => Err(io::Error::other("it is too large")),
            };
        }
        if headers == 0 {
            return Err(io::Error::other("an entry's headers are too large"));
        }
        let most = usize::try_from(bytes.min(headers)).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let padding = self.left.padding.get();
        let length = match self.inner.read(buffer)? {
            0 => {
                let most = usize::try_from(padding).unwrap_or(0).min(buffer.len());
                buffer.get_mut(..most).unwrap_or_default().fill(0);
                most
            }
            length => length,
        };
        self.left.padding.set(padding.saturating_sub(length as u64));
        self.left.bytes.set(bytes - length as u64);
        self.left.headers.set(headers - length as u64);
        Ok(length)
    }
}
