//! The digest by which fs-verity knows a file (Documentation/filesystems/fsverity.rst of the kernel): the hash of a
//! descriptor, with the root of a tree of hashes of the file's blocks.

use ring::digest::{SHA256, digest};

/// Bytes of a block, of the file and of the tree.
const BLOCK: usize = 4096;

/// Bytes of a SHA-256.
const HASH: usize = 32;

/// A tree that grows as the file is read.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Hashes that don't fill a block yet: those of the file's blocks, those of blocks of these, and so on.
    levels: Vec<Vec<u8>>,
    /// The file's length, bytes.
    length: u64,
}

impl Tree {
    /// Goes on with what is next in the file: whole blocks, unless it is the last of it.
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        for block in piece.chunks(BLOCK) {
            self.put(0, hash(block));
        }
    }

    /// The file's digest.
    pub(super) fn finish(mut self) -> [u8; HASH] {
        let length = self.length;
        descriptor_digest(length, self.root())
    }

    /// Puts a hash on a level; a block of them that is full is one on the next.
    fn put(&mut self, level: usize, hash_of_block: [u8; HASH]) {
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

    /// The one hash at the top; zeros for an empty file.
    fn root(&mut self) -> [u8; HASH] {
        let mut level = 0;
        while let Some(hashes) = self.levels.get_mut(level) {
            let hashes = std::mem::take(hashes);
            let is_top = level + 1 == self.levels.len();
            match <[u8; HASH]>::try_from(&*hashes) {
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
fn descriptor_digest(length: u64, root: [u8; HASH]) -> [u8; HASH] {
    let mut descriptor = [0; 256];
    descriptor[..4].copy_from_slice(&[1, 1, 12, 0]);
    descriptor[8..16].copy_from_slice(&length.to_le_bytes());
    descriptor[16..16 + HASH].copy_from_slice(&root);
    sha256(&descriptor)
}

/// Of a block, which is filled up with zeros.
fn hash(block: &[u8]) -> [u8; HASH] {
    let mut whole = [0; BLOCK];
    let (begun, _) = whole.split_at_mut(block.len().min(BLOCK));
    begun.copy_from_slice(block);
    sha256(&whole)
}

fn sha256(bytes: &[u8]) -> [u8; HASH] {
    let mut hash = [0; HASH];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
