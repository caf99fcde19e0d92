//! Reading the file itself: bounded, and never blocked by what is not a regular file.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::ConfigError;

/// The most that a `config.json` may hold, in bytes.
pub const MAX_SIZE: u64 = 1 << 20;

/// The file's bytes, at most [`MAX_SIZE`] of them.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let failed = |source: io::Error| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    // Looked at before it is opened: opening a fifo waits for a writer, opening a device may do anything.
    let found = fs::metadata(path).map_err(failed)?;
    if !found.is_file() {
        return Err(ConfigError::NotAFile {
            path: path.to_owned(),
            kind: kind(found.file_type()),
        });
    }
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    check_size(size, path)?;
    // The size that was told may be wrong (the file may grow, and files of /proc say 0), so reading is
    // bounded too; one byte more shows that there was more.
    let mut text = Vec::with_capacity(size as usize);
    file.take(MAX_SIZE + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    Ok(text)
}

/// Refuses what is too long to be a `config.json` that someone wrote.
pub(super) fn check_size(size: u64, path: &Path) -> Result<(), ConfigError> {
    if size > MAX_SIZE {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
            size,
        });
    }
    Ok(())
}

fn kind(of: FileType) -> &'static str {
    if of.is_dir() {
        "directory"
    } else if of.is_fifo() {
        "fifo"
    } else if of.is_socket() {
        "socket"
    } else {
        "device"
    }
}
