//! Reading a few bytes at known places of a file that may be anything.
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use object::pod;

use super::error::{ElfError, malformed};

/// An open regular file. It is never read as a whole.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    head: Vec<u8>,
}

/// What tells a file from what was there before, or what it was like before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    id: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            id: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Of the file at `path` now; `None` where there is none, or it can't be looked at.
    pub(super) fn at(path: &Path) -> Option<Self> {
        std::fs::metadata(path)
            .ok()
            .map(|metadata| Self::of(&metadata))
    }
}

/// What is read at once of every file: an ELF file's headers, or a script's first line.
const HEAD: usize = 1 << 10;

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, ElfError> {
        let read = |source| ElfError::Read {
            path: path.to_owned(),
            source,
        };
        let regular = |metadata: &Metadata| match metadata.is_file() {
            true => Ok(()),
            false => Err(ElfError::NotRegular {
                path: path.to_owned(),
            }),
        };
        // Looking first keeps us from opening devices, where opening alone can do something; O_NONBLOCK and
        // looking again cover a FIFO that is put in place in between.
        regular(&std::fs::metadata(path).map_err(read)?)?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        regular(&metadata)?;
        let mut source = Self {
            path: path.to_owned(),
            file,
            metadata,
            head: Vec::new(),
        };
        source.head = source.read_up_to(0, HEAD)?.as_ref().to_owned();
        Ok(source)
    }

    /// `None` where the loader would go on to the next directory.
    pub(super) fn open_if_present(path: &Path) -> Result<Option<Self>, ElfError> {
        match Self::open(path) {
            Err(ElfError::Read { source, .. }) if is_absent(&source) => Ok(None),
            other => other.map(Some),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file was like when it was opened.
    pub(super) fn version(&self) -> Version {
        Version::of(&self.metadata)
    }

    /// Device and inode: two paths with the same id are one file.
    pub(super) fn id(&self) -> (u64, u64) {
        (self.metadata.dev(), self.metadata.ino())
    }

    pub(super) fn has_execute_bit(&self) -> bool {
        self.metadata.mode() & 0o111 != 0
    }

    /// Up to `length` bytes from `offset`; fewer only at the end of the file.
    pub(super) fn read_up_to(&self, offset: u64, length: usize) -> Result<Bytes, ElfError> {
        let length = self.at_most(offset, length);
        let mut bytes = Bytes::zeroed(length);
        if let Some(known) = self.known(offset, length) {
            bytes.as_mut().copy_from_slice(known);
            return Ok(bytes);
        }
        let mut filled = 0;
        while filled < length {
            let Some(position) = offset.checked_add(filled as u64) else {
                break;
            };
            match self.file.read_at(&mut bytes.as_mut()[filled..], position) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The kernel takes no position above i64::MAX: as far as a file goes, that is past its end.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
                Err(source) => {
                    return Err(ElfError::Read {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
        bytes.length = filled;
        Ok(bytes)
    }

    /// `length`, or a little more than is there, for a limit is far beyond what a file has. Files of the kernel's that are made
    /// when they are read have no size.
    fn at_most(&self, offset: u64, length: usize) -> usize {
        match self.metadata.len() {
            0 => length,
            size => {
                let left = size.saturating_sub(offset).saturating_add(1);
                usize::try_from(left).map_or(length, |left| left.min(length))
            }
        }
    }

    fn known(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        self.head.get(start..start.checked_add(length)?)
    }

    /// Exactly `length` bytes, or the file is malformed in the way that `what` says.
    pub(super) fn read_exact(
        &self,
        offset: u64,
        length: usize,
        what: &'static str,
    ) -> Result<Bytes, ElfError> {
        let bytes = self.read_up_to(offset, length)?;
        match bytes.as_ref().len() == length {
            true => Ok(bytes),
            false => Err(malformed(&self.path, what)),
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    matches!(
        error.kind(),
        NotFound | NotADirectory | PermissionDenied | InvalidFilename
    )
}

/// Bytes that start on an eight byte boundary, which `object` needs to see structures in them.
#[derive(Debug)]
pub(super) struct Bytes {
    words: Vec<u64>,
    length: usize,
}

impl Bytes {
    fn zeroed(length: usize) -> Self {
        Self {
            words: vec![0; length.div_ceil(8)],
            length,
        }
    }

    fn as_mut(&mut self) -> &mut [u8] {
        &mut pod::bytes_of_slice_mut(&mut self.words)[..self.length]
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &pod::bytes_of_slice(&self.words)[..self.length]
    }
}
