//! An EROFS that is written as its files come: neither compressed nor with attributes, devices or owners; the same bytes
//! for the same calls.
//!
//! A file's content goes to the image at once, and only directories wait for the end, since they name what is in them by
//! where it is: nothing is written twice, and in memory is no more than a few blocks. The kernel's own page of the
//! format is Documentation/filesystems/erofs.rst.

mod directory;
mod format;
mod room;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};

pub use directory::{Entry, encode, length};
pub use format::{Inode, Kind};
pub use room::Place;

use crate::digest::Growing;
use format::{BLOCK, INODE, LINKS, ROOT, Super};
use room::{Done, Open, Room};

/// An image that isn't complete yet.
#[derive(Debug)]
pub struct Writer {
    file: File,
    room: Room,
    root: [u8; INODE],
    growing: Growing,
}

/// An image that is complete, and isn't on the disk yet.
#[derive(Debug)]
pub struct Whole {
    /// Its file.
    pub file: File,
    /// Bytes of it.
    pub size: u64,
    /// What fs-verity calls it, `sha256:…`.
    pub digest: String,
}

impl Writer {
    /// One in `file`, which is empty and can be written.
    pub fn new(file: File) -> Self {
        Self {
            file,
            room: Room::new(),
            root: [0; INODE],
            growing: Growing::default(),
        }
    }

    /// Takes room for an inode and so many bytes of content, which are zeros until they are [`put`](Self::put).
    ///
    /// # Errors
    /// Those of writing; 16 TiB are the most.
    pub fn take(&mut self, size: u64) -> io::Result<Place> {
        let mut done = Done::default();
        let place = self.room.take(size, &mut done)?;
        self.settle(done)?;
        Ok(place)
    }

    /// The same for the root, once.
    ///
    /// # Errors
    /// Likewise.
    pub fn take_for_root(&mut self, size: u64) -> io::Result<Place> {
        self.room.take_for_root(size)
    }

    /// Puts a piece of content `at` so many bytes from its beginning. What would be beyond its end is left out.
    ///
    /// # Errors
    /// Those of writing.
    pub fn put(&mut self, place: &Place, at: u64, piece: &[u8]) -> io::Result<()> {
        let left = usize::try_from(place.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let piece = piece.get(..left).unwrap_or(piece);
        let in_blocks = usize::try_from(place.in_blocks().saturating_sub(at));
        let (in_blocks, inline) = piece.split_at(in_blocks.unwrap_or(usize::MAX).min(piece.len()));
        if !in_blocks.is_empty() {
            let start = u64::from(place.start) * BLOCK as u64;
            self.file.write_all_at(in_blocks, start + at)?;
            self.growing.wrote(start + at, in_blocks);
        }
        if inline.is_empty() {
            return Ok(());
        }
        let behind = at + in_blocks.len() as u64 - place.in_blocks();
        self.patch(place.at + INODE as u64 + behind, inline)
    }

    /// Leaves so many zeros of content as they are, `at` so many bytes from its beginning: nothing was put there.
    pub fn leave_zeros(&mut self, place: &Place, at: u64, count: u64) {
        let in_blocks = place.in_blocks().saturating_sub(at).min(count);
        let start = u64::from(place.start) * BLOCK as u64;
        self.growing.has_zeros(start + at, in_blocks);
    }

    /// Reads a piece of content again, `at` so many bytes from its beginning; how many there were, none at its end.
    ///
    /// # Errors
    /// Those of reading.
    pub fn get(&mut self, place: &Place, at: u64, piece: &mut [u8]) -> io::Result<usize> {
        let [(blocks, length), (end, inline)] = place.content();
        let (from, left) = match at < length {
            true => (blocks + at, length - at),
            false => (end + at - length, (length + inline).saturating_sub(at)),
        };
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        let piece = piece.get_mut(..most).unwrap_or_default();
        if at >= length
            && let Some(open) = self.room.open_at(from)
        {
            let begin = usize::try_from(from % BLOCK as u64).unwrap_or(0);
            let there = open.bytes.get(begin..begin + most);
            let there = there.ok_or_else(|| io::Error::other("an inode leaves its block"))?;
            piece.copy_from_slice(there);
            return Ok(most);
        }
        match self.file.read_at(piece, from)? {
            // Zeros behind all that was written yet.
            0 => {
                piece.fill(0);
                Ok(most)
            }
            length => Ok(length),
        }
    }

    /// Writes the inode.
    ///
    /// # Errors
    /// Those of writing.
    pub fn put_inode(&mut self, place: &Place, inode: Inode) -> io::Result<()> {
        let bytes = format::inode(place, inode);
        if place.at == ROOT {
            self.root = bytes;
            return Ok(());
        }
        self.patch(place.at, &bytes)
    }

    /// Changes how many names an inode has.
    ///
    /// # Errors
    /// Those of writing.
    pub fn put_links(&mut self, place: &Place, links: u32) -> io::Result<()> {
        self.patch(place.at + LINKS, &links.to_le_bytes())
    }

    /// Takes an inode with its content out of the image again.
    ///
    /// # Errors
    /// Those of writing.
    pub fn give_back(&mut self, place: &Place) -> io::Result<()> {
        let mut done = Done::default();
        self.room.give_back(place, &mut done)?;
        let is_gone = |(start, count): &(u32, u32)| {
            (*start..*start + *count)
                .contains(&(u32::try_from(place.at / BLOCK as u64).unwrap_or(0)))
        };
        if !done.freed.iter().any(is_gone) {
            let zeros = [0; BLOCK];
            let length = INODE + usize::from(place.inline);
            self.patch(place.at, zeros.get(..length).unwrap_or_default())?;
        }
        self.settle(done)
    }

    /// Completes it: so many inodes, the youngest of which is of `time`.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self, inodes: u64, time: u32) -> io::Result<Whole> {
        for open in self.room.close_all() {
            self.write(&open)?;
        }
        let mut first = [0; BLOCK];
        let root = usize::try_from(ROOT).unwrap_or(0);
        first[root..root + INODE].copy_from_slice(&self.root);
        let blocks = self.room.length();
        format::put_superblock(
            &mut first,
            Super {
                inodes,
                time,
                blocks,
            },
        );
        self.file.write_all_at(&first, 0)?;
        self.growing.wrote(0, &first);
        let size = u64::from(blocks) * BLOCK as u64;
        self.file.set_len(size)?;
        let digest = self.growing.finish(&self.file, size)?;
        Ok(Whole {
            file: self.file,
            size,
            digest,
        })
    }

    fn settle(&mut self, done: Done) -> io::Result<()> {
        for open in &done.closed {
            self.write(open)?;
        }
        for (start, count) in done.freed {
            self.clear(start, count)?;
        }
        Ok(())
    }

    fn write(&mut self, open: &Open) -> io::Result<()> {
        let at = u64::from(open.block) * BLOCK as u64;
        self.file.write_all_at(&open.bytes[..], at)?;
        self.growing.wrote(at, &open.bytes[..]);
        Ok(())
    }

    /// Writes into a shared block.
    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(open) = self.room.open_at(at) else {
            self.growing.changed(at, bytes.len() as u64);
            return self.file.write_all_at(bytes, at);
        };
        let begin = usize::try_from(at % BLOCK as u64).unwrap_or(0);
        let there = open.bytes.get_mut(begin..begin + bytes.len());
        let there = there.ok_or_else(|| io::Error::other("an inode leaves its block"))?;
        there.copy_from_slice(bytes);
        Ok(())
    }

    /// Has blocks read as zeros, and hold no room on the disk where the file system can do that.
    fn clear(&mut self, start: u32, count: u32) -> io::Result<()> {
        let (at, length) = (
            u64::from(start) * BLOCK as u64,
            u64::from(count) * BLOCK as u64,
        );
        self.growing.changed(at, length);
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if fallocate(&self.file, flags, at, length).is_ok() {
            return Ok(());
        }
        let zeros = [0; BLOCK];
        (0..u64::from(count))
            .try_for_each(|block| self.file.write_all_at(&zeros, at + block * BLOCK as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verity_digest;

    #[test]
    fn what_is_written_over_in_a_closed_block_is_in_the_digest() {
        let mut writer = Writer::new(tempfile::tempfile().unwrap());
        let places: Vec<Place> = (0..3000).map(|_| writer.take(10).unwrap()).collect();
        writer.put_links(&places[1500], 2).unwrap();
        writer.give_back(&places[1501]).unwrap();
        let whole = writer.finish(3000, 0).unwrap();
        assert_eq!(whole.digest, verity_digest(&whole.file, 1).unwrap());
    }
}
