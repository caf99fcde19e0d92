//! What file system a file holds, by its own first bytes, and whether as much of it is there as those say.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bundles::shifter::image::Format;

/// File systems that images have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// squashfs, version 4.
    Squashfs,
    /// EROFS.
    Erofs,
    /// ext4, and what the same driver takes for it.
    Ext4,
    /// xfs.
    Xfs,
    /// cramfs.
    Cramfs,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// Which one.
    pub kind: Kind,
    /// As long as it says it is, bytes; the file is at least as long.
    pub length: u64,
}

/// Why a file is no image. One line, without the file's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnImage {
    /// It can't be read.
    #[error("read its first bytes: {0}")]
    Io(#[from] io::Error),
    /// Nothing that we know begins so.
    #[error("holds no file system that is known here: {}", Kind::NAMES)]
    Unknown,
    /// Another one than was said.
    #[error("holds {}, not {wanted}", found.name())]
    Another {
        /// What it holds.
        found: Kind,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The end is missing.
    #[error("is cut off: its {} is {length} bytes long, the file {file}", kind.name())]
    CutOff {
        /// What it holds.
        kind: Kind,
        /// As long as that says it is.
        length: u64,
        /// As long as the file is.
        file: u64,
    },
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Squashfs,
        Self::Erofs,
        Self::Ext4,
        Self::Xfs,
        Self::Cramfs,
    ];
    const NAMES: &str = "squashfs, erofs, ext4, xfs, cramfs";

    /// The kernel's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Squashfs => "squashfs",
            Self::Erofs => "erofs",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Cramfs => "cramfs",
        }
    }

    /// As `.meta` files call it.
    pub fn format(self) -> Format {
        match self {
            Self::Squashfs => Format::Squashfs,
            Self::Erofs => Format::Erofs,
            Self::Ext4 => Format::Ext4,
            Self::Xfs => Format::Xfs,
            Self::Cramfs => Format::Cramfs,
        }
    }

    /// What a `.meta` file calls so; none for a directory.
    pub fn of(format: Format) -> Option<Self> {
        Some(match format {
            Format::Vfs => return None,
            Format::Ext4 => Self::Ext4,
            Format::Squashfs => Self::Squashfs,
            Format::Cramfs => Self::Cramfs,
            Format::Xfs => Self::Xfs,
            Format::Erofs => Self::Erofs,
        })
    }

    /// Where the magic number is, and what it is.
    fn magic(self) -> (usize, &'static [u8]) {
        match self {
            Self::Squashfs => (0, b"hsqs"),
            Self::Erofs => (1024, &[0xe2, 0xe1, 0xf5, 0xe0]),
            Self::Ext4 => (1024 + 56, &[0x53, 0xef]),
            Self::Xfs => (0, b"XFSB"),
            Self::Cramfs => (0, &[0x45, 0x3d, 0xcd, 0x28]),
        }
    }

    /// The length that the superblock in `head` gives, bytes.
    fn length(self, head: &Head) -> u64 {
        match self {
            Self::Squashfs => head.little::<8>(40),
            Self::Erofs => {
                // Only a site with a far newer kernel has blocks of other sizes than 4096 bytes.
                let block = 1_u64.checked_shl(u32::from(head.byte(1024 + 12)));
                head.little::<4>(1024 + 36)
                    .saturating_mul(block.unwrap_or(u64::MAX))
            }
            Self::Ext4 => {
                const HAS_64_BITS: u64 = 0x80;
                let high = match head.little::<4>(1024 + 96) & HAS_64_BITS {
                    0 => 0,
                    _ => head.little::<4>(1024 + 336) << 32,
                };
                let block = 1024_u64.checked_shl(head.byte(1024 + 24).into());
                (high | head.little::<4>(1024 + 4)).saturating_mul(block.unwrap_or(u64::MAX))
            }
            Self::Xfs => head.big::<8>(8).saturating_mul(head.big::<4>(4)),
            Self::Cramfs => head.little::<4>(4),
        }
    }
}

impl FileSystem {
    /// Looks at an open file.
    ///
    /// # Errors
    /// [`NotAnImage`].
    pub fn of(file: &File) -> Result<Self, NotAnImage> {
        let head = Head::read(file)?;
        let kind = Kind::ALL.into_iter().find(|kind| {
            let (at, magic) = kind.magic();
            head.0[at..].starts_with(magic)
        });
        let kind = kind.ok_or(NotAnImage::Unknown)?;
        let length = kind.length(&head);
        let file = file.metadata()?.len();
        if length > file {
            return Err(NotAnImage::CutOff { kind, length, file });
        }
        Ok(Self { kind, length })
    }

    /// Looks at an open file that has to hold what its `.meta` file says.
    ///
    /// # Errors
    /// [`NotAnImage`].
    pub fn must_be(file: &File, wanted: Kind) -> Result<Self, NotAnImage> {
        let found = Self::of(file)?;
        if found.kind != wanted {
            return Err(NotAnImage::Another {
                found: found.kind,
                wanted: wanted.name(),
            });
        }
        Ok(found)
    }
}

/// The first bytes of a file, with zeros behind its end.
struct Head([u8; 2048]);

impl Head {
    fn read(file: &File) -> io::Result<Self> {
        let mut head = [0; 2048];
        let mut read = 0;
        while read < head.len() {
            match file.read_at(&mut head[read..], read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(head))
    }

    fn byte(&self, at: usize) -> u8 {
        self.0[at]
    }

    fn little<const BYTES: usize>(&self, at: usize) -> u64 {
        let bytes = self.0[at..at + BYTES].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn big<const BYTES: usize>(&self, at: usize) -> u64 {
        let bytes = self.0[at..at + BYTES].iter();
        bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A file of `length` bytes with these at these places.
    fn file(length: u64, pieces: &[(usize, &[u8])]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(length).unwrap();
        for (at, bytes) in pieces {
            file.write_all_at(bytes, *at as u64).unwrap();
        }
        file
    }

    #[test]
    fn each_file_system_is_known_by_its_superblock_and_says_how_long_it_is() {
        type Pieces<'a> = &'a [(usize, &'a [u8])];
        let cases: [(Kind, u64, Pieces<'_>); 6] = [
            (Kind::Squashfs, 3000, &[(0, b"hsqs"), (40, &[0xb8, 0x0b])]),
            (
                Kind::Erofs,
                8192,
                &[
                    (1024, &[0xe2, 0xe1, 0xf5, 0xe0]),
                    (1036, &[12]),
                    (1060, &[2]),
                ],
            ),
            (
                Kind::Ext4,
                4096,
                &[(1080, &[0x53, 0xef]), (1028, &[2]), (1048, &[1])],
            ),
            (
                Kind::Ext4,
                (1 << 32 | 2) * 1024,
                &[
                    (1080, &[0x53, 0xef]),
                    (1028, &[2]),
                    (1120, &[0x80]),
                    (1360, &[1]),
                ],
            ),
            (
                Kind::Xfs,
                8192,
                &[(0, b"XFSB"), (4, &[0, 0, 16, 0]), (15, &[2])],
            ),
            (
                Kind::Cramfs,
                4096,
                &[(0, &[0x45, 0x3d, 0xcd, 0x28]), (4, &[0, 16])],
            ),
        ];
        for (kind, length, pieces) in cases {
            let found = FileSystem::of(&file(length, pieces)).unwrap();
            assert_eq!(found, FileSystem { kind, length });
            let error = FileSystem::of(&file(length - 1, pieces)).unwrap_err();
            assert!(matches!(error, NotAnImage::CutOff { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_no_image_or_another_is_refused() {
        for content in [&b""[..], b"hsq", &[0; 4096], b"#!/bin/sh\n"] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(content).unwrap();
            let error = FileSystem::of(&file).unwrap_err();
            assert!(matches!(error, NotAnImage::Unknown), "{error}");
        }
        let squashfs = file(100, &[(0, b"hsqs"), (40, &[96])]);
        let error = FileSystem::must_be(&squashfs, Kind::Erofs).unwrap_err();
        assert_eq!(error.to_string(), "holds squashfs, not erofs");
    }

    #[test]
    fn sizes_that_no_number_holds_are_cut_off() {
        let shifts = [
            (1024, &[0xe2, 0xe1, 0xf5, 0xe0][..]),
            (1036, &[200]),
            (1060, &[1]),
        ];
        let error = FileSystem::of(&file(4096, &shifts)).unwrap_err();
        assert!(matches!(error, NotAnImage::CutOff { .. }), "{error}");
    }
}
