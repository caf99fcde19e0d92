//! The digest by which fs-verity knows a file (Documentation/filesystems/fsverity.rst of the kernel): the hash of a
//! descriptor, with the root of a tree of hashes of the file's blocks.
//!
//! What is known of a file are hashes of its spans: as many bytes as one block of the tree's lowest level stands for.

use ring::digest::{SHA256, digest};

/// Bytes of a block, of the file and of the tree.
pub(super) const BLOCK: usize = 4096;

/// Bytes of a SHA-256.
pub(super) const HASH: usize = 32;

/// Blocks of the file whose hashes fill a block of the tree.
pub(super) const BLOCKS: usize = BLOCK / HASH;

/// Their bytes.
pub(super) const SPAN: usize = BLOCKS * BLOCK;

/// A SHA-256.
pub(super) type Hash = [u8; HASH];

static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Their hash; files have many such blocks.
pub(super) const OF_ZEROS: Hash = [
    0xad, 0x7f, 0xac, 0xb2, 0x58, 0x6f, 0xc6, 0xe9, 0x66, 0xc0, 0x04, 0xd7, 0xd1, 0xd1, 0x6b, 0x02,
    0x4f, 0x58, 0x05, 0xff, 0x7c, 0xb4, 0x7c, 0x7a, 0x85, 0xda, 0xbd, 0x8b, 0x48, 0x89, 0x2c, 0xa7,
];

/// The hash of a block, which is filled up with zeros.
pub(super) fn hash(block: &[u8]) -> Hash {
    if block.len() == BLOCK {
        return match block == ZEROS {
            true => OF_ZEROS,
            false => sha256(block),
        };
    }
    let mut whole = [0; BLOCK];
    let (begun, _) = whole.split_at_mut(block.len().min(BLOCK));
    begun.copy_from_slice(block);
    sha256(&whole)
}

/// The hashes of the blocks of `bytes`, one behind the other.
pub(super) fn hashes(bytes: &[u8]) -> impl Iterator<Item = Hash> {
    bytes.chunks(BLOCK).map(hash)
}

/// The hash of a span: of its blocks' hashes, which fill a block of the tree.
pub(super) fn hash_of_span(span: &[u8]) -> Hash {
    let mut block = [0; BLOCK];
    let (places, _) = block.as_chunks_mut::<HASH>();
    for (place, hash) in places.iter_mut().zip(hashes(span)) {
        *place = hash;
    }
    sha256(&block)
}

/// The digest of a file of one block at the most.
pub(super) fn of_block(block: &[u8]) -> Hash {
    let root = match block.is_empty() {
        true => [0; HASH],
        false => hash(block),
    };
    descriptor_digest(block.len() as u64, root)
}

/// A tree that grows as its spans become known, from the first to the last.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Hashes that don't fill a block yet: those of the file's spans, those of blocks of these, and so on.
    levels: Vec<Vec<u8>>,
}

impl Tree {
    /// Goes on with the next span's hash.
    pub(super) fn add(&mut self, hash_of_span: Hash) {
        self.put(0, hash_of_span);
    }

    /// The digest of a file of so many bytes: more than a block.
    pub(super) fn finish(mut self, length: u64) -> Hash {
        descriptor_digest(length, self.root())
    }

    /// Puts a hash on a level; a block of them that is full is one on the next.
    fn put(&mut self, level: usize, hash_of_block: Hash) {
        if level == self.levels.len() {
            self.levels.push(Vec::with_capacity(BLOCK));
        }
        let Some(hashes) = self.levels.get_mut(level) else {
            return;
        };
        hashes.extend(hash_of_block);
        if hashes.len() == BLOCK {
            let above = hash(hashes);
            hashes.clear();
            self.put(level + 1, above);
        }
    }

    /// The one hash at the top.
    fn root(&mut self) -> Hash {
        let mut level = 0;
        while let Some(hashes) = self.levels.get_mut(level) {
            let hashes = std::mem::take(hashes);
            let is_top = level + 1 == self.levels.len();
            match Hash::try_from(&*hashes) {
                Ok(only) if is_top => return only,
                _ if hashes.is_empty() => {}
                _ => self.put(level + 1, hash(&hashes)),
            }
            level += 1;
        }
        [0; HASH]
    }
}

/// `struct fsverity_descriptor`: version 1, SHA-256, blocks of 2^12 bytes, no salt, no signature.
fn descriptor_digest(length: u64, root: Hash) -> Hash {
    let mut descriptor = [0; 256];
    descriptor[..4].copy_from_slice(&[1, 1, 12, 0]);
    descriptor[8..16].copy_from_slice(&length.to_le_bytes());
    descriptor[16..16 + HASH].copy_from_slice(&root);
    sha256(&descriptor)
}

fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; HASH];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_zeros_has_the_hash_that_it_would_have() {
        assert_eq!(hash(&ZEROS), sha256(&ZEROS));
        let mut other = [0; BLOCK];
        other[BLOCK - 1] = 1;
        assert_ne!(hash(&other), OF_ZEROS);
    }
}
