//! Reading the file itself, and whether it can be trusted.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::ConfigError;
use crate::small_file::{SmallFile, SmallFileError};

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
    let failed = |error| match error {
        SmallFileError::Io(source) => ConfigError::Read {
            path: path.to_owned(),
            source,
        },
        SmallFileError::NotAFile(kind) => ConfigError::NotAFile {
            path: path.to_owned(),
            kind,
        },
        SmallFileError::TooLarge(size) => ConfigError::TooLarge {
            path: path.to_owned(),
            size,
        },
    };
    // A link that lies there leads where whoever made it wants; one that was named is the caller's.
    let file = SmallFile::open(path, matches!(word, Word::Named)).map_err(failed)?;
    match word {
        Word::Named => require_not_everyones(file.metadata(), path)?,
        Word::Nobody { caller } => require_trusted(file.metadata(), path, caller)?,
    }
    file.read(MAX_SIZE).map_err(failed)
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
