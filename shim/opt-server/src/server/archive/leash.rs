//! A reader that lets so much through and no more: what a library reads by itself, before it shows us any of
//! it, is bounded so.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

/// A reader on a leash.
#[derive(Debug)]
pub struct Leashed<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R> Leashed<R> {
    /// Around `inner`, with how many bytes may still be read: none, until that is set.
    pub fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
        let left = Rc::new(Cell::new(0));
        let leash = Rc::clone(&left);
        (Self { inner, left }, leash)
    }
}

impl<R: Read> Read for Leashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("its headers are too large"));
        }
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let length = self
            .inner
            .read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left.set(left - length as u64);
        Ok(length)
    }
}

impl<R: Seek> Seek for Leashed<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
