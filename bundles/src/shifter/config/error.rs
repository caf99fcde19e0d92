//! What can be wrong with a `udiRoot.conf`, each in one line that says where and what.

use std::path::PathBuf;

use crate::shifter::trusted::TrustError;
use crate::shifter::volumes::VolumeError;

/// Why a `udiRoot.conf` is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It can't be read, or others could have written it.
    #[error("{0}")]
    File(#[from] TrustError),
    /// Not text.
    #[error("{}:{line}: is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A key or its value.
    #[error("{}:{line}: {key}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// As it is written.
        key: String,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
    /// A key that nothing works without.
    #[error("{}: {key} is missing: {needed}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What it says.
        needed: &'static str,
    },
}

/// What is wrong with one key or its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Problem {
    #[error("unknown key{}", meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default())]
    UnknownKey { meant: Option<&'static str> },
    #[error("unknown key: a comment begins in the first column")]
    IndentedComment,
    #[error("the line has no key before its =")]
    NoKey,
    #[error("has no value")]
    NoValue,
    #[error("must be an absolute path, not {found:?}")]
    NotAbsolute { found: String },
    #[error("must be a number from 0 to 4294967295, not {found:?}")]
    NotANumber { found: String },
    #[error("must be a size in bytes, such as 500M, not {found:?}")]
    NotASize { found: String },
    #[error("must be {wanted}, not {found:?}")]
    NotOneOf { wanted: &'static str, found: String },
    #[error("{found:?} must be NAME=VALUE; values can't have spaces in them")]
    NotAnAssignment { found: String },
    #[error("{name} has nothing to be added")]
    NothingToAdd { name: String },
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error("there is no module {name:?}{}", choices(.known))]
    UnknownModule { name: String, known: Vec<String> },
    #[error("the module {name:?} is not enabled")]
    DisabledModule { name: String },
    #[error("the modules {one:?} and {other:?} exclude each other")]
    Conflict { one: String, other: String },
}

fn choices(names: &[String]) -> String {
    if names.is_empty() {
        return "; the site has none".to_owned();
    }
    format!("; the site has {}", names.join(", "))
}
