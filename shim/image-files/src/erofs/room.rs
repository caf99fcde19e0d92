//! Where things go in an image that grows while it is written: blocks for what fills them, and room in blocks that are
//! shared, for inodes and the ends of files behind them. What is given back is used again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use super::format::{BLOCK, INODE, ROOT, SLOT};

/// How many shared blocks are looked into for room.
const OPEN: usize = 16;

/// The longest end of a content that has room behind its inode.
const LONGEST_END: usize = BLOCK - INODE;

/// Where an inode is, and its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The inode, from the image's beginning.
    pub(super) at: u64,
    /// Bytes of content.
    pub(super) size: u64,
    /// The first block of it; 0 where there is none.
    pub(super) start: u32,
    /// As many bytes of it, the last ones, are behind the inode.
    pub(super) inline: u16,
}

impl Place {
    /// How directories name it.
    pub fn number(&self) -> u64 {
        self.at / SLOT
    }

    /// Bytes of content.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the content is in the image, once that is complete: from which byte on, and how many; all but its end, and
    /// its end.
    pub fn content(&self) -> [(u64, u64); 2] {
        let blocks = u64::from(self.start) * BLOCK as u64;
        let end = self.at + INODE as u64;
        [(blocks, self.in_blocks()), (end, self.inline.into())]
    }

    /// Bytes of content that are in blocks of its own.
    pub(super) fn in_blocks(&self) -> u64 {
        self.size - u64::from(self.inline)
    }

    fn blocks(&self) -> io::Result<u32> {
        blocks(self.in_blocks())
    }
}

/// A shared block that has room.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) block: u32,
    used: usize,
    pub(super) bytes: Box<[u8; BLOCK]>,
}

/// Blocks, taken and free.
#[derive(Debug)]
pub(super) struct Room {
    /// The first block that was never taken, or is free with all behind it.
    next: u32,
    /// Free ones before that: the first of neighbours, and how many.
    free: BTreeMap<u32, u32>,
    /// The same by how many.
    by_length: BTreeSet<(u32, u32)>,
    open: Vec<Open>,
    /// How many inodes are in a shared block.
    shared: HashMap<u32, u16>,
}

/// What is done with blocks.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Shared blocks that take no more: they are to be written.
    pub(super) closed: Vec<Open>,
    /// Blocks that are free now: they have to read as zeros. The first, and how many.
    pub(super) freed: Vec<(u32, u32)>,
}

impl Room {
    /// All but the first block, which has the superblock and the root's inode.
    pub(super) fn new() -> Self {
        Self {
            next: 1,
            free: BTreeMap::new(),
            by_length: BTreeSet::new(),
            open: vec![],
            shared: HashMap::new(),
        }
    }

    /// Blocks up to the last one that is taken.
    pub(super) fn length(&self) -> u32 {
        self.next
    }

    /// Room for an inode with so many bytes of content.
    pub(super) fn take(&mut self, size: u64, done: &mut Done) -> io::Result<Place> {
        // What is left over of a block.
        let end = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        let inline = match end <= LONGEST_END {
            true => end,
            false => 0,
        };
        let mut place = Place {
            at: self.slot(INODE + inline, done)?,
            size,
            start: 0,
            inline: u16::try_from(inline).unwrap_or(0),
        };
        place.start = self.take_blocks(place.blocks()?)?;
        Ok(place)
    }

    /// That of the root's inode, which is where it has to be, with so many bytes of content.
    pub(super) fn take_for_root(&mut self, size: u64) -> io::Result<Place> {
        Ok(Place {
            at: ROOT,
            size,
            start: self.take_blocks(blocks(size)?)?,
            inline: 0,
        })
    }

    /// The first of so many blocks in a row: the shortest row of free ones that is long enough, else new ones.
    fn take_blocks(&mut self, count: u32) -> io::Result<u32> {
        if count == 0 {
            return Ok(0);
        }
        if let Some(&(length, start)) = self.by_length.range((count, 0)..).next() {
            self.forget(start, length);
            if length > count {
                self.remember(start + count, length - count);
            }
            return Ok(start);
        }
        let start = self.next;
        self.next = start.checked_add(count).ok_or_else(too_large)?;
        Ok(start)
    }

    /// Room in a shared block: where the least is left over.
    fn slot(&mut self, length: usize, done: &mut Done) -> io::Result<u64> {
        let fitting = self.open.iter_mut();
        let fitting = fitting.filter(|open| open.used + length <= BLOCK);
        let fitting = match fitting.max_by_key(|open| open.used) {
            Some(open) => open,
            None => {
                if self.open.len() == OPEN {
                    done.closed.extend(self.close_fullest());
                }
                let block = self.take_blocks(1)?;
                self.open.push(Open {
                    block,
                    used: 0,
                    bytes: Box::new([0; BLOCK]),
                });
                self.open.last_mut().ok_or_else(too_large)?
            }
        };
        let at = u64::from(fitting.block) * BLOCK as u64 + fitting.used as u64;
        fitting.used = (fitting.used + length).next_multiple_of(SLOT as usize);
        *self.shared.entry(fitting.block).or_default() += 1;
        Ok(at)
    }

    fn close_fullest(&mut self) -> Option<Open> {
        let open = self.open.iter().enumerate();
        let (fullest, _) = open.max_by_key(|(_, open)| open.used)?;
        Some(self.open.remove(fullest))
    }

    /// Nothing is taken any more.
    pub(super) fn close_all(&mut self) -> Vec<Open> {
        std::mem::take(&mut self.open)
    }

    /// The shared block at a place in the image, if it isn't closed yet.
    pub(super) fn open_at(&mut self, at: u64) -> Option<&mut Open> {
        let is_it = |open: &Open| u64::from(open.block) == at / BLOCK as u64;
        self.open.iter_mut().find(|open| is_it(open))
    }

    /// Gives back what an inode had. The inode itself has to be overwritten with zeros where its block stays.
    pub(super) fn give_back(&mut self, place: &Place, done: &mut Done) -> io::Result<()> {
        let count = place.blocks()?;
        if count > 0 {
            self.give_back_blocks(place.start, count, done);
        }
        let block = u32::try_from(place.at / BLOCK as u64).map_err(io::Error::other)?;
        let left = self.shared.get_mut(&block);
        let left = left.map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            self.shared.remove(&block);
            self.open.retain(|open| open.block != block);
            self.give_back_blocks(block, 1, done);
        }
        Ok(())
    }

    fn give_back_blocks(&mut self, start: u32, count: u32, done: &mut Done) {
        done.freed.push((start, count));
        let (mut start, mut count) = (start, count);
        if let Some((&before, &length)) = self.free.range(..start).next_back()
            && before + length == start
        {
            self.forget(before, length);
            (start, count) = (before, length + count);
        }
        if let Some(&length) = self.free.get(&(start + count)) {
            self.forget(start + count, length);
            count += length;
        }
        match start + count == self.next {
            true => self.next = start,
            false => self.remember(start, count),
        }
    }

    fn remember(&mut self, start: u32, length: u32) {
        self.free.insert(start, length);
        self.by_length.insert((length, start));
    }

    fn forget(&mut self, start: u32, length: u32) {
        self.free.remove(&start);
        self.by_length.remove(&(length, start));
    }
}

fn blocks(bytes: u64) -> io::Result<u32> {
    u32::try_from(bytes.div_ceil(BLOCK as u64)).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "more than an EROFS can hold")
}
