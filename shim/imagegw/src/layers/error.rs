//! Why a layer isn't applied. One line each.

use std::io;

/// Why a layer isn't applied. One line, without the layer's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// It is no archive, or a broken one.
    #[error("the archive is broken: {0}")]
    Broken(String),
    /// An entry that no image has any business to have.
    #[error("the entry {name:?} {reason}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It holds too much.
    #[error("more than {most} {unit}")]
    TooMuch {
        /// The limit.
        most: u64,
        /// Of what.
        unit: &'static str,
    },
    /// Not the archive's fault.
    #[error("{operation} {name:?}: {source}")]
    Io {
        /// What failed.
        operation: &'static str,
        /// The entry.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// Nobody wants it any more.
    #[error("stopped")]
    Stopped,
}

impl LayerError {
    pub(super) fn entry(name: &[u8], reason: &'static str) -> Self {
        Self::Entry {
            name: shown(name),
            reason,
        }
    }

    /// For `map_err`.
    pub(super) fn io<E: Into<io::Error>>(
        operation: &'static str,
        name: &[u8],
    ) -> impl FnOnce(E) -> Self + use<E> {
        let name = shown(name);
        move |source| Self::Io {
            operation,
            name,
            source: source.into(),
        }
    }
}

/// A name for a message: its end, if it is very long.
fn shown(name: &[u8]) -> String {
    const LONGEST: usize = 200;
    let end = name.get(name.len().saturating_sub(LONGEST)..);
    String::from_utf8_lossy(end.unwrap_or_default()).into_owned()
}
