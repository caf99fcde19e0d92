//! Layers of an image, laid upon each other in a directory: hostile archives, applied within bounds and without anything
//! that gives power.
//!
//! What every entry becomes is the business of [`apply`]; where it goes, of [`tree`]. Nothing is reached by a path of the
//! host's: each directory is opened below the tree's own descriptor, through no link.

mod ahead;
mod apply;
mod bounds;
mod error;
mod name;
mod time;
mod tree;
mod unpacked;

use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use crate::blobs::{Algorithm, Digest};
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
        layer: impl Read + Send,
        algorithm: Algorithm,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Digest, LayerError> {
        let left = Rc::clone(&self.left);
        let applying = apply::Applying::new(&mut self.tree, left, &mut self.left_out, goes_on);
        let (applied, digest) = ahead::ahead(layer, algorithm, |layer| applying.layer(layer));
        applied.map(|()| digest)
    }

    /// What was left out so far.
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }
}

#[cfg(test)]
mod tests;
