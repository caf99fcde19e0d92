//! What is on the disk: `fs/erofs/erofs_fs.h` of the kernel, as much of it as a file system without compression, attributes
//! and devices needs. All numbers are little-endian.

use super::room::Place;

/// Bytes of a block.
pub(super) const BLOCK: usize = 4096;
/// Inodes are known by their place, in these.
pub(super) const SLOT: u64 = 32;
/// Bytes of an inode: the longer one of two kinds, which has a time of its own.
pub(super) const INODE: usize = 64;
/// Where the superblock is.
pub(super) const SUPERBLOCK: usize = 1024;
/// Where the root's inode is: its number has 16 bits, so it can't be behind everything else.
pub(super) const ROOT: u64 = SUPERBLOCK as u64 + SUPERBLOCK_LENGTH as u64;

const SUPERBLOCK_LENGTH: usize = 128;
const MAGIC: u32 = 0xe0f5_e1e2;
/// The superblock has a checksum; what an inode has is when it was modified, not when it was changed.
const COMPATIBLE: u32 = 0x1 | 0x2;

/// `i_format`: an extended inode, and whether the end of its content follows it (`EROFS_INODE_FLAT_INLINE`, `_PLAIN`).
const EXTENDED: u16 = 1;
const INLINE: u16 = 2 << 1;

/// What can be in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
}

impl Kind {
    fn mode(self) -> u16 {
        match self {
            Self::File => 0o100_000,
            Self::Directory => 0o040_000,
            Self::Link => 0o120_000,
        }
    }

    /// As directories have it.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::File => 1,
            Self::Directory => 2,
            Self::Link => 7,
        }
    }
}

/// What an inode says, besides where its content is. All is root's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    /// What it is.
    pub kind: Kind,
    /// Who may do what with it, without its kind.
    pub mode: u16,
    /// When it was modified, seconds since 1970.
    pub time: u32,
    /// How many names it has.
    pub links: u32,
}

/// Where the number of names is in an inode.
pub(super) const LINKS: u64 = 44;

/// `struct erofs_inode_extended`.
pub(super) fn inode(place: &Place, inode: Inode) -> [u8; INODE] {
    let mut bytes = [0; INODE];
    let format = match place.inline {
        0 => EXTENDED,
        _ => EXTENDED | INLINE,
    };
    bytes[..2].copy_from_slice(&format.to_le_bytes());
    bytes[4..6].copy_from_slice(&(inode.kind.mode() | inode.mode & 0o7777).to_le_bytes());
    bytes[8..16].copy_from_slice(&place.size.to_le_bytes());
    bytes[16..20].copy_from_slice(&place.start.to_le_bytes());
    // For stat(2) of 32 bits only.
    let number = place.number().to_le_bytes();
    bytes[20..24].copy_from_slice(&number[..4]);
    bytes[32..40].copy_from_slice(&u64::from(inode.time).to_le_bytes());
    bytes[44..48].copy_from_slice(&inode.links.to_le_bytes());
    bytes
}

/// What a superblock says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Super {
    pub(super) inodes: u64,
    /// When the youngest file was modified.
    pub(super) time: u32,
    pub(super) blocks: u32,
}

/// Puts `struct erofs_super_block` into the first block, which is complete but for it.
pub(super) fn put_superblock(block: &mut [u8; BLOCK], told: Super) {
    let at = &mut block[SUPERBLOCK..];
    at[..4].copy_from_slice(&MAGIC.to_le_bytes());
    at[8..12].copy_from_slice(&COMPATIBLE.to_le_bytes());
    at[12] = 12;
    let root = (ROOT / SLOT).to_le_bytes();
    at[14..16].copy_from_slice(&root[..2]);
    at[16..24].copy_from_slice(&told.inodes.to_le_bytes());
    at[24..32].copy_from_slice(&u64::from(told.time).to_le_bytes());
    at[36..40].copy_from_slice(&told.blocks.to_le_bytes());
    let checksum = checksum(at);
    at[4..8].copy_from_slice(&checksum.to_le_bytes());
}

/// CRC-32C without the last inversion, as the kernel's `crc32c(~0, …)`.
fn checksum(bytes: &[u8]) -> u32 {
    const CASTAGNOLI: u32 = 0x82f6_3b78;
    bytes.iter().fold(u32::MAX, |checksum, byte| {
        (0..8).fold(checksum ^ u32::from(*byte), |checksum, _| {
            (checksum >> 1) ^ (CASTAGNOLI * (checksum & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard_but_for_its_last_inversion() {
        assert_eq!(!checksum(b"123456789"), 0xe306_9283);
    }
}
