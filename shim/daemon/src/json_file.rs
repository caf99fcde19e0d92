//! Small JSON files that people write: read with a limit, strictly, and with a line number for every fault.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bundles::small_file::{SmallFile, SmallFileError};
use serde::de::DeserializeOwned;

/// More than anybody writes by hand.
const MAX_SIZE: u64 = 1 << 20;

const ANYONE: u32 = 0o002;

/// Why such a file is refused. One line: where, what, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It can't be trusted or is no file.
    #[error("cannot use {}: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// It isn't what it should be.
    #[error("{}:{line}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The fault.
        reason: String,
    },
}

/// Reads `path` as a `T`, whose `Deserialize` refuses what it doesn't know.
///
/// # Errors
/// [`FileError`].
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let text = text(path)?;
    serde_json::from_str(&text).map_err(|error| {
        let message = error.to_string();
        // serde_json ends its messages with the place, which we put first.
        let reason = message
            .rsplit_once(" at line ")
            .map_or(&*message, |(reason, _)| reason);
        FileError::Invalid {
            path: path.to_owned(),
            line: error.line().max(1),
            reason: reason.to_owned(),
        }
    })
}

fn text(path: &Path) -> Result<String, FileError> {
    let unfit = |reason| FileError::Unfit {
        path: path.to_owned(),
        reason,
    };
    let failed = |error| match error {
        SmallFileError::Io(source) => FileError::Read {
            path: path.to_owned(),
            source,
        },
        SmallFileError::NotAFile(_) => unfit("not a regular file"),
        SmallFileError::TooLarge(_) => unfit("larger than 1 MiB"),
    };
    let file = SmallFile::open(path, true).map_err(failed)?;
    if file.metadata().mode() & ANYONE != 0 {
        return Err(unfit("everyone may write it; hint: chmod o-w"));
    }
    let bytes = file.read(MAX_SIZE).map_err(failed)?;
    String::from_utf8(bytes).map_err(|error| FileError::Invalid {
        path: path.to_owned(),
        line: error.as_bytes()[..error.utf8_error().valid_up_to()]
            .split(|byte| *byte == b'\n')
            .count(),
        reason: "not UTF-8".to_owned(),
    })
}
