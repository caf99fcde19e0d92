//! Project archives: hostile ones unpacked within bounds, changed files packed.

mod leash;
mod manifest;
mod pack;
mod unpack;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

pub use manifest::Manifest;
pub use pack::pack;

use std::path::Path;

/// What an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of all files together, unpacked.
    pub size: u64,
    /// Files, directories and links.
    pub entries: usize,
}

/// Why an archive is refused: nothing of it is used then.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Neither kind that we take.
    #[error("the body is neither a tar archive (also gzipped) nor a zip archive")]
    Unknown,
    /// It is broken.
    #[error("the archive is broken: {0}")]
    Broken(String),
    /// An entry that has no business in a project.
    #[error("the archive's entry {name:?} {reason}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It holds too much.
    #[error("the archive holds more than {0}")]
    TooMuch(String),
    /// Not the archive's fault.
    #[error("unpack the archive")]
    Io(#[source] io::Error),
}

/// Unpacks the archive in `file` into `directory`, which nobody else can reach. An empty file is an empty
/// project.
///
/// # Errors
/// The first thing that is wrong. What was unpacked before it is the caller's to remove.
pub fn unpack(mut file: File, directory: &Path, bounds: Bounds) -> Result<(), ArchiveError> {
    let mut magic = [0; 4];
    let length = read_up_to(&mut file, &mut magic).map_err(ArchiveError::Io)?;
    file.rewind().map_err(ArchiveError::Io)?;
    let target = unpack::Target::new(directory, bounds)?;
    match magic.get(..length) {
        Some([]) | None => Ok(()),
        Some([0x1f, 0x8b, ..]) => unpack::tar(
            flate2::read::MultiGzDecoder::new(BufReader::new(file)),
            target,
        ),
        Some([b'P', b'K', 3, 4] | [b'P', b'K', 5, 6]) => unpack::zip(BufReader::new(file), target),
        Some(_) if is_tar(&mut file)? => unpack::tar(BufReader::new(file), target),
        Some(_) => Err(ArchiveError::Unknown),
    }
}

/// Whether it has tar's magic word, 257 bytes in.
fn is_tar(file: &mut File) -> Result<bool, ArchiveError> {
    let mut header = [0; 512];
    let length = read_up_to(file, &mut header).map_err(ArchiveError::Io)?;
    file.rewind().map_err(ArchiveError::Io)?;
    Ok(length == header.len() && header.get(257..262) == Some(b"ustar"))
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests;
