//! Why an image wasn't pulled. One line each.

use std::io;
use std::path::{Path, PathBuf};

use image_files::convert::ConvertError;

use super::reference::BadReference;
use crate::blobs::Digest;
use crate::layers::LayerError;

/// Why an image wasn't pulled. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// Hostile archives are no work for root.
    #[error("refused as root: images are unpacked and converted by a user without rights")]
    Root,
    /// A name.
    #[error(transparent)]
    Reference(#[from] BadReference),
    /// The source wants other credentials, or shows it to nobody.
    #[error("{image}: access denied by {by}")]
    Denied {
        /// What was asked for.
        image: String,
        /// Who said so.
        by: String,
    },
    /// It isn't there.
    #[error("{image}: not found")]
    NotFound {
        /// What was asked for.
        image: String,
    },
    /// It is there, but not for these machines.
    #[error("{image}: not for {wanted}; it is for {has}")]
    Platform {
        /// What was asked for.
        image: String,
        /// The machines.
        wanted: String,
        /// What there is.
        has: String,
    },
    /// A registry can't be reached, or doesn't speak the protocol.
    #[error("{operation} {url}: {reason}")]
    Registry {
        /// What failed.
        operation: &'static str,
        /// Upon what.
        url: String,
        /// The cause.
        reason: String,
    },
    /// Content isn't what its name says.
    #[error("{what}: its content is {found}")]
    Digest {
        /// The name, which has the digest in it.
        what: String,
        /// What came.
        found: Digest,
    },
    /// More than is allowed.
    #[error("{what}: more than {most} {unit}")]
    TooMuch {
        /// What.
        what: String,
        /// The limit.
        most: u64,
        /// Of what.
        unit: &'static str,
    },
    /// A manifest, an index or a configuration that is none.
    #[error("{what}: {reason}")]
    Malformed {
        /// Which.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An operation on a file.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What failed.
        operation: &'static str,
        /// Upon what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Nobody vouches for it whom the site's policy names.
    #[error("{image}: {reason}")]
    Untrusted {
        /// What was asked for.
        image: String,
        /// What is missing.
        reason: &'static str,
    },
    /// [`super::Progress::examine`].
    #[error("{image}: refused by the site's examiner: {reason}")]
    Examined {
        /// What was asked for.
        image: String,
        /// What it said.
        reason: String,
    },
    /// A layer that can't be unpacked, or may not.
    #[error("layer {layer}: {source}")]
    Layer {
        /// Its digest, as the source has it.
        layer: Digest,
        /// What is wrong.
        source: LayerError,
    },
    /// No image file was made.
    #[error(transparent)]
    Convert(ConvertError),
    /// [`super::Progress::should_stop`].
    #[error("stopped")]
    Stopped,
}

impl PullError {
    /// For `map_err`.
    pub(crate) fn io<E: Into<io::Error>>(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self + use<E> {
        let path = path.to_path_buf();
        move |source| Self::Io {
            operation,
            path,
            source: source.into(),
        }
    }
}

/// That a document of somebody else's is none.
pub(super) fn malformed(what: &str, reason: &str) -> PullError {
    PullError::Malformed {
        what: what.to_owned(),
        reason: reason.to_owned(),
    }
}

/// That there is more than is allowed.
pub(super) fn too_much(what: &str, most: u64, unit: &'static str) -> PullError {
    PullError::TooMuch {
        what: what.to_owned(),
        most,
        unit,
    }
}
