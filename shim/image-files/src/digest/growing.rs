//! The fs-verity digest of a file that is written out of order: what is written is hashed while it is at hand, and only
//! what was written over is read again in the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use super::verity::{BLOCK, BLOCKS, HASH, Hash, OF_ZEROS, hash, hashes};
use super::{processors, spans, text};

/// The most spans that are known in part, each with a block of hashes.
const MOST: usize = 64;

/// What is known of a file.
#[derive(Debug, Default)]
pub(crate) struct Growing {
    /// By number, the spans all of whose blocks are known.
    whole: Vec<Option<Hash>>,
    /// Those of which some are.
    begun: BTreeMap<usize, Begun>,
}

/// A span that isn't whole yet.
#[derive(Debug)]
struct Begun {
    /// Which of its blocks are known, a bit each.
    known: u128,
    hashes: Box<[[u8; HASH]; BLOCKS]>,
}

impl Growing {
    /// This was written: whole blocks, of which the last may go on with zeros.
    pub(crate) fn wrote(&mut self, at: u64, bytes: &[u8]) {
        if !at.is_multiple_of(BLOCK as u64) {
            return self.changed(at, bytes.len() as u64);
        }
        self.put(at / BLOCK as u64, hashes(bytes));
    }

    /// So many bytes are zeros, which needn't have been written: whole blocks.
    pub(crate) fn has_zeros(&mut self, at: u64, count: u64) {
        let blocks = usize::try_from(count / BLOCK as u64).unwrap_or(0);
        if !at.is_multiple_of(BLOCK as u64) {
            return self.changed(at, count);
        }
        self.put(at / BLOCK as u64, std::iter::repeat_n(OF_ZEROS, blocks));
    }

    /// What is here isn't known any more.
    pub(crate) fn changed(&mut self, at: u64, length: u64) {
        let blocks = at / BLOCK as u64..(at + length).div_ceil(BLOCK as u64);
        for block in blocks {
            let (span, place) = split(block);
            if let Some(begun) = self.begun.get_mut(&span) {
                begun.known &= !(1 << place);
            } else if let Some(hash) = self.whole.get_mut(span) {
                *hash = None;
            }
        }
    }

    /// The digest of `file`, which was written so, and has so many bytes: `sha256:…`.
    ///
    /// # Errors
    /// Those of reading what isn't known.
    pub(crate) fn finish(mut self, file: &File, length: u64) -> io::Result<String> {
        let end = length.div_ceil(BLOCK as u64);
        let (last, used) = split(end);
        if let Some(begun) = self.begun.get_mut(&last) {
            begun.end(used);
        }
        let whole = |number: u64| {
            let number = usize::try_from(number).ok()?;
            // What was known behind the end is of no use.
            let is_within = number < last;
            let whole = self.whole.get(number).copied().flatten();
            let begun = || self.begun.get(&number)?.whole();
            whole.filter(|_| is_within).or_else(begun)
        };
        spans::digest(file, length, processors(), whole).map(|digest| text(&digest))
    }

    fn put(&mut self, first: u64, hashes: impl Iterator<Item = Hash>) {
        for (block, hash) in (first..).zip(hashes) {
            let (span, place) = split(block);
            let begun = self.begin(span);
            if let Some(there) = begun.hashes.get_mut(place) {
                *there = hash;
                begun.known |= 1 << place;
            }
            if let Some(hash) = begun.whole() {
                self.begun.remove(&span);
                if self.whole.len() <= span {
                    self.whole.resize(span + 1, None);
                }
                if let Some(whole) = self.whole.get_mut(span) {
                    *whole = Some(hash);
                }
            }
        }
    }

    /// The span, of which a block becomes known.
    fn begin(&mut self, span: usize) -> &mut Begun {
        if let Some(whole) = self.whole.get_mut(span) {
            // All of it was known, and one block changes.
            *whole = None;
        }
        if self.begun.len() >= MOST && !self.begun.contains_key(&span) {
            // It is read in the end.
            self.begun.pop_first();
        }
        self.begun.entry(span).or_insert_with(|| Begun {
            known: 0,
            hashes: Box::new([[0; HASH]; BLOCKS]),
        })
    }
}

impl Begun {
    /// Its hash, if all of it is known.
    fn whole(&self) -> Option<Hash> {
        (self.known == u128::MAX).then(|| hash(self.hashes.as_flattened()))
    }

    /// So many blocks are all that there is of it; the rest of hashes is zeros.
    fn end(&mut self, used: usize) {
        for (place, hash) in self.hashes.iter_mut().enumerate().skip(used) {
            *hash = [0; HASH];
            self.known |= 1 << place;
        }
    }
}

/// Which span a block is in, and which of its blocks.
fn split(block: u64) -> (usize, usize) {
    let number = usize::try_from(block).unwrap_or(usize::MAX);
    (number / BLOCKS, number % BLOCKS)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::verity_digest;

    /// A file that is written as told, and what is known of it.
    struct Written {
        file: File,
        growing: Growing,
    }

    impl Written {
        fn new() -> Self {
            Self {
                file: tempfile::tempfile().unwrap(),
                growing: Growing::default(),
            }
        }

        fn put(&mut self, block: u64, bytes: &[u8]) {
            let at = block * BLOCK as u64;
            self.file.write_all_at(bytes, at).unwrap();
            self.growing.wrote(at, bytes);
        }

        /// What the digest is, and should be.
        fn digests(self, blocks: u64) -> (String, String) {
            let length = blocks * BLOCK as u64;
            self.file.set_len(length).unwrap();
            let found = self.growing.finish(&self.file, length).unwrap();
            (found, verity_digest(&self.file, 1).unwrap())
        }
    }

    /// Blocks of this number, none like another.
    fn blocks(count: usize, seed: u8) -> Vec<u8> {
        let block = |number: usize| {
            [number.to_le_bytes(), [seed; 8]]
                .concat()
                .repeat(BLOCK / 16)
        };
        (0..count).flat_map(block).collect()
    }

    #[test]
    fn whatever_the_order_the_digest_is_that_of_the_file() {
        for count in [1, 2, 127, 128, 129, 300, 1000_u64] {
            let mut written = Written::new();
            for block in (0..count).rev() {
                written.put(block, &blocks(1, u8::try_from(block % 251).unwrap()));
            }
            let (found, right) = written.digests(count);
            assert_eq!(found, right, "{count}");
        }
    }

    #[test]
    fn nothing_is_read_that_is_known() {
        let mut written = Written::new();
        written.put(0, &blocks(300, 1));
        written.growing.has_zeros(300 << 12, 600 << 12);
        let (_, right) = Written {
            file: written.file.try_clone().unwrap(),
            growing: Growing::default(),
        }
        .digests(900);
        // Not the file: only what it is known by.
        let empty = tempfile::tempfile().unwrap();
        assert_eq!(written.growing.finish(&empty, 900 << 12).unwrap(), right);
    }

    #[test]
    fn what_changes_is_read_again() {
        let changes: [&dyn Fn(&mut Written); 5] = [
            // Anew, in a span that was whole.
            &|written| written.put(200, &blocks(1, 9)),
            // Within a block.
            &|written| {
                written.file.write_all_at(b"x", 5000).unwrap();
                written.growing.wrote(5000, b"x");
            },
            // By whoever says so.
            &|written| {
                let place = (129 << 12) - 1;
                written.file.write_all_at(b"xy", place).unwrap();
                written.growing.changed(place, 2);
            },
            // Behind the end, where something was and is cut off.
            &|written| written.put(300, &blocks(200, 4)),
            // So many spans that not all are kept.
            &|written| {
                for span in 0..200 {
                    written.put(1000 + span * 128, &blocks(1, 5));
                }
                written.put(5, &blocks(1, 6));
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut written = Written::new();
            written.put(0, &blocks(300, 1));
            change(&mut written);
            assert!(written.growing.begun.len() <= MOST);
            let (found, right) = written.digests(300);
            assert_eq!(found, right, "{number}");
        }
    }
}
