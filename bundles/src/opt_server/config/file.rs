//! Reading the file itself: bounded, and never blocked by what is not a regular file.

use std::fs::{self, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::ConfigError;

/// The most that a `config.json` may hold, in bytes.
pub const MAX_SIZE: u64 = 1 << 20;

const ANYONE: u32 = 0o002;
const OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Who says that a file is the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::opt_server) enum Word {
    /// The caller named it.
    Named,
    /// Nobody: it lay where one is looked for, and the caller has this uid.
    Nobody { caller: u32 },
}

/// The file's bytes, at most [`MAX_SIZE`] of them.
pub(super) fn read(path: &Path, word: Word) -> Result<Vec<u8>, ConfigError> {
    let failed = |source: io::Error| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    // Looked at before it is opened: opening a fifo waits for a writer, opening a device may do anything.
    // A link that lies there leads where whoever made it wants; one that was named is the caller's.
    let (found, links) = match word {
        Word::Named => (fs::metadata(path), 0),
        Word::Nobody { .. } => (fs::symlink_metadata(path), libc::O_NOFOLLOW),
    };
    require_regular(&found.map_err(failed)?, path)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | links)
        .open(path)
        .map_err(failed)?;
    let opened = file.metadata().map_err(failed)?;
    require_regular(&opened, path)?;
    match word {
        Word::Named => require_not_everyones(&opened, path)?,
        Word::Nobody { caller } => require_trusted(&opened, path, caller)?,
    }
    check_size(opened.len(), path)?;
    // The size that was told may be wrong (the file may grow, and files of /proc say 0), so reading is
    // bounded too; one byte more shows that there was more.
    let mut text = Vec::with_capacity(opened.len() as usize);
    file.take(MAX_SIZE + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    Ok(text)
}

fn require_regular(found: &Metadata, path: &Path) -> Result<(), ConfigError> {
    if found.is_file() {
        return Ok(());
    }
    Err(ConfigError::NotAFile {
        path: path.to_owned(),
        kind: kind(found.file_type()),
    })
}

/// Even a file that was named says nothing when everyone may write it.
fn require_not_everyones(opened: &Metadata, path: &Path) -> Result<(), ConfigError> {
    if opened.mode() & ANYONE == 0 {
        return Ok(());
    }
    Err(ConfigError::Everyones {
        path: path.to_owned(),
    })
}

/// What nobody named is taken if nobody but root and the caller could have written it or put it there.
fn require_trusted(opened: &Metadata, path: &Path, caller: u32) -> Result<(), ConfigError> {
    require_own(opened, "", path, caller)?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = fs::metadata(directory).map_err(|source| ConfigError::Read {
        path: directory.to_owned(),
        source,
    })?;
    require_own(&directory, "the directory of ", path, caller)
}

fn require_own(
    found: &Metadata,
    what: &'static str,
    path: &Path,
    caller: u32,
) -> Result<(), ConfigError> {
    let refuse = |problem| {
        Err(ConfigError::Untrusted {
            path: path.to_owned(),
            what,
            problem,
        })
    };
    if ![0, caller].contains(&found.uid()) {
        return refuse(format!("belongs to uid {}, not to you", found.uid()));
    }
    // In a sticky directory others can't replace what isn't theirs.
    let is_kept = found.is_dir() && found.mode() & STICKY != 0;
    if found.mode() & OTHERS != 0 && !is_kept {
        let mode = found.mode() & 0o7777;
        return refuse(format!("may be written by others (mode {mode:04o})"));
    }
    Ok(())
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
    } else if of.is_symlink() {
        "symbolic link"
    } else if of.is_fifo() {
        "fifo"
    } else if of.is_socket() {
        "socket"
    } else {
        "device"
    }
}
