//! How an image stands, in Shifter's words.

use serde::{Deserialize, Serialize};

/// A state of a pull, an import or an image.
///
/// INIT → PENDING → PULLING → EXAMINATION → CONVERSION → TRANSFER → READY; of an import INIT → PENDING → HASHING →
/// CONVERSION → TRANSFER → READY; of an image that goes EXPIRING → EXPIRED; FAILURE from any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Asked for.
    Init,
    /// Waits for a worker.
    Pending,
    /// Is being fetched.
    Pulling,
    /// Is being read (imports).
    Hashing,
    /// The site's examiner looks at it.
    Examination,
    /// Becomes a file.
    Conversion,
    /// Goes to the system.
    Transfer,
    /// Can be used.
    Ready,
    /// Didn't work.
    Failure,
    /// Is being removed.
    Expiring,
    /// Was removed.
    Expired,
}

impl Status {
    /// As answers have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Pending => "PENDING",
            Self::Pulling => "PULLING",
            Self::Hashing => "HASHING",
            Self::Examination => "EXAMINATION",
            Self::Conversion => "CONVERSION",
            Self::Transfer => "TRANSFER",
            Self::Ready => "READY",
            Self::Failure => "FAILURE",
            Self::Expiring => "EXPIRING",
            Self::Expired => "EXPIRED",
        }
    }

    /// Whether nothing more comes of it by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ready | Self::Failure | Self::Expired)
    }
}
