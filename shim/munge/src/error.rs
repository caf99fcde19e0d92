//! What can go wrong between us and munged.

use std::io;
use std::path::PathBuf;

/// Why there is no credential, or nothing to be learned from one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// munged can't be reached.
    #[error("munged at {}: {source}", socket.display())]
    Io {
        /// Its socket.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It answered in another language than ours.
    #[error("munged at {}: an answer that isn't one of munge 0.5's", .0.display())]
    Garbled(PathBuf),
    /// More than munged takes.
    #[error("{0} bytes are more than munge takes")]
    TooLarge(usize),
    /// munged says no.
    #[error("munge: {0}")]
    Refused(Refusal),
}

/// munged's refusals, by the numbers that `munge` and `unmunge` exit with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 14: it was changed, or made with another key.
    Invalid,
    /// 15: too old.
    Expired,
    /// 16: made in the future, by our clock.
    Rewound,
    /// 17: decoded here before.
    Replayed,
    /// 18: for another user or group.
    Unauthorized,
    /// Any other, and what munged says of it.
    Other(u8, String),
}

impl Refusal {
    /// Whether it was good at another time.
    pub(crate) fn is_of_time(&self) -> bool {
        matches!(self, Self::Expired | Self::Rewound | Self::Replayed)
    }

    pub(crate) fn of(code: u8, text: &str) -> Self {
        match code {
            14 => Self::Invalid,
            15 => Self::Expired,
            16 => Self::Rewound,
            17 => Self::Replayed,
            18 => Self::Unauthorized,
            other => Self::Other(other, text.to_owned()),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid => f.write_str("the credential is invalid"),
            Self::Expired => f.write_str("the credential is expired"),
            Self::Rewound => {
                f.write_str("the credential is from the future; are the clocks right?")
            }
            Self::Replayed => f.write_str("the credential was used before"),
            Self::Unauthorized => f.write_str("the credential is for somebody else"),
            Self::Other(code, text) if text.is_empty() => write!(f, "error {code}"),
            Self::Other(code, text) => write!(f, "{text} (error {code})"),
        }
    }
}
