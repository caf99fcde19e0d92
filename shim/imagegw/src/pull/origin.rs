//! What every source of images can do, and what is asked of it.

use std::io::{self, Read};

use super::choice::choose;
use super::error::{PullError, malformed, too_much};
use super::manifest::{Descriptor, Document, MOST_MANIFEST, Manifest};
use super::request::Platform;
use crate::blobs::{Digest, Hasher};

/// The most indexes that lead from one to another.
const MOST_INDEXES: usize = 4;

/// A source of images.
pub(super) trait Origin {
    /// The document that the name stands for, and what it is said to be.
    fn top(&self) -> Result<(Vec<u8>, Option<String>), PullError>;
    /// Another manifest or index.
    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, PullError>;
    /// A blob, from a byte on.
    fn blob(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + '_>, PullError>;
    /// The registry that says who may have a blob; none where nobody does.
    fn registry(&self) -> Option<&str> {
        None
    }
    /// Whether it shows this blob to whoever asks, without giving it.
    fn shows(&self, _: &Digest) -> bool {
        false
    }
    /// Whether only our credentials have opened it.
    fn is_private(&self) -> bool {
        false
    }
}

/// An image that a name stands for.
#[derive(Debug, Clone)]
pub(super) struct Resolved {
    /// The digests of the documents on the way to the manifest, its own the last. Each is bound by the one before, so a
    /// signature of any is one of the image.
    pub(super) digests: Vec<Digest>,
    pub(super) manifest: Manifest,
}

impl Resolved {
    /// The manifest's.
    pub(super) fn digest(&self) -> Option<&Digest> {
        self.digests.last()
    }
}

/// Finds the image for a platform. `pinned` is what the first document's digest has to be; `what` is for messages.
///
/// # Errors
/// [`PullError`].
pub(super) fn resolve(
    origin: &dyn Origin,
    platform: &Platform,
    pinned: Option<&Digest>,
    what: &str,
) -> Result<Resolved, PullError> {
    let (mut content, mut media_type) = origin.top()?;
    let first = match pinned {
        Some(digest) => {
            must_be(&mut &*content, digest, || format!("{what}: {digest}"))?;
            digest.clone()
        }
        None => Digest::of(&content),
    };
    let mut digests = vec![first];
    loop {
        match Document::parse(&content, media_type.as_deref(), what)? {
            Document::Manifest(manifest) => return Ok(Resolved { digests, manifest }),
            Document::Index(_) if digests.len() > MOST_INDEXES => {
                return Err(malformed(what, "it is an index of indexes of indexes"));
            }
            Document::Index(entries) => {
                let chosen = choose(&entries, platform, what)?;
                if chosen.size > MOST_MANIFEST {
                    return Err(too_much(what, MOST_MANIFEST, "bytes of manifest"));
                }
                content = origin.document(chosen)?;
                let digest = &chosen.digest;
                must_be(&mut &*content, digest, || format!("{what}: {digest}"))?;
                media_type = Some(chosen.media_type.clone()).filter(|said| !said.is_empty());
                digests.push(chosen.digest.clone());
            }
        }
    }
}

/// That content is what its digest says.
///
/// # Errors
/// [`PullError::Digest`]; [`PullError::Registry`] where it can't be read.
pub(super) fn must_be(
    content: &mut dyn Read,
    digest: &Digest,
    what: impl Fn() -> String,
) -> Result<(), PullError> {
    let mut hasher = Hasher::new(digest.algorithm());
    io::copy(content, &mut hasher).map_err(|error| PullError::Registry {
        operation: "read",
        url: what(),
        reason: error.to_string(),
    })?;
    let found = hasher.finish();
    match found == *digest {
        true => Ok(()),
        false => Err(PullError::Digest {
            what: what(),
            found,
        }),
    }
}
