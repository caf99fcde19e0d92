//! Layers of an image, laid upon each other in a directory: hostile archives, applied within bounds and without anything
//! that gives power.
//!
//! What every entry becomes is the business of [`apply`]; where it goes, of [`tree`]. Nothing is reached by a path of the
//! host's: each directory is opened below the tree's own descriptor, through no link.

mod apply;
mod bounds;
mod error;
mod name;
mod time;
mod tree;
mod unpacked;

use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use crate::blobs::{Digest, Hasher};
use crate::pull::LeftOut;

pub use bounds::Bounds;
pub use error::LayerError;

/// A tree that layers are laid upon, the lowest first.
#[derive(Debug)]
pub struct Layers {
    tree: tree::Tree,
    left: Rc<bounds::Left>,
    left_out: LeftOut,
}

impl Layers {
    /// None yet, in an empty directory of this user's that nobody else can reach.
    ///
    /// # Errors
    /// [`LayerError::Io`].
    pub fn new(directory: &Path, bounds: Bounds) -> Result<Self, LayerError> {
        Ok(Self {
            tree: tree::Tree::new(directory)?,
            left: bounds::Left::of(bounds),
            left_out: LeftOut::default(),
        })
    }

    /// Lays the next one upon what is there. `goes_on` is told often how many bytes of all layers have been read,
    /// unpacked, and says whether to go on. The digest of the layer, unpacked, is what comes back (`diff_id`).
    ///
    /// # Errors
    /// [`LayerError`]; the tree is of no use then.
    pub fn apply(
        &mut self,
        layer: impl Read,
        algorithm: crate::blobs::Algorithm,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Digest, LayerError> {
        let unpacked = unpacked::unpacked(layer);
        let unpacked = unpacked.map_err(|error| LayerError::Broken(error.to_string()))?;
        let mut hashed = Hashed {
            inner: unpacked,
            hasher: Hasher::new(algorithm),
        };
        let left = Rc::clone(&self.left);
        apply::Applying::new(&mut self.tree, left, &mut self.left_out, goes_on)
            .layer(&mut hashed)?;
        Ok(hashed.hasher.finish())
    }

    /// What was left out so far.
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }
}

/// A reader of what is hashed on the way.
struct Hashed<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
