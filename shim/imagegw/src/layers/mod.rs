//! Layers of an image, laid upon each other in a directory, or in an image file that is written as they come: hostile
//! archives, applied within bounds and without anything that gives power.
//!
//! What every entry becomes is the business of [`apply`]; where it goes, of [`tree`] and [`image`]. Nothing is reached by a
//! path of the host's: each directory is opened below the tree's own descriptor, through no link, or isn't there at all.

mod ahead;
mod apply;
mod bounds;
mod error;
mod fill;
mod image;
mod journal;
mod name;
mod ours;
mod time;
mod tree;
mod unpacked;
mod upon;
mod way;

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use apply::Applying;
use image_files::erofs::Whole;

use crate::blobs::{Algorithm, Digest};
use crate::pull::LeftOut;

pub use bounds::Bounds;
pub use error::LayerError;
pub(crate) use journal::{Part, Recorded, Recording, Replay};

/// What layers are laid upon, the lowest first.
#[derive(Debug)]
pub struct Layers {
    upon: Ground,
    left: Rc<bounds::Left>,
    left_out: LeftOut,
    recording: Option<Rc<RefCell<Recording>>>,
}

/// What came of layers.
#[derive(Debug)]
pub(crate) struct Laid {
    /// The image, if they were laid upon one; it isn't on the disk yet.
    pub(crate) image: Option<Whole>,
    pub(crate) left_out: LeftOut,
    /// What was written down of each, if it was.
    pub(crate) recorded: Vec<Option<Recorded>>,
}

#[derive(Debug)]
enum Ground {
    Directory(tree::Tree),
    Image(Box<image::Image>),
}

impl Layers {
    /// None yet, in an empty directory of this user's that nobody else can reach.
    ///
    /// # Errors
    /// [`LayerError::Io`].
    pub fn new(directory: &Path, bounds: Bounds) -> Result<Self, LayerError> {
        let tree = tree::Tree::new(directory)?;
        Ok(Self::upon(Ground::Directory(tree), bounds))
    }

    /// None yet, in an EROFS in `file`, which is empty; written down for later images, if there is something for it.
    pub(crate) fn image(file: File, bounds: Bounds, recording: Option<Recording>) -> Self {
        let recording = recording.map(|recording| Rc::new(RefCell::new(recording)));
        let mut image = image::Image::new(file);
        image.record(recording.clone());
        Self {
            recording,
            ..Self::upon(Ground::Image(Box::new(image)), bounds)
        }
    }

    fn upon(upon: Ground, bounds: Bounds) -> Self {
        Self {
            upon,
            left: bounds::Left::of(bounds),
            left_out: LeftOut::default(),
            recording: None,
        }
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
        let digest = self.lay(layer, Some(algorithm), goes_on)?;
        digest.ok_or_else(|| LayerError::Broken("it has no digest".to_owned()))
    }

    /// The same of one whose digest, unpacked, is known by whoever reads `layer` to its end.
    ///
    /// # Errors
    /// Likewise.
    pub fn apply_known(
        &mut self,
        layer: impl Read + Send,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), LayerError> {
        self.lay(layer, None, goes_on).map(drop)
    }

    fn lay(
        &mut self,
        layer: impl Read + Send,
        algorithm: Option<Algorithm>,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Digest>, LayerError> {
        let left = Rc::clone(&self.left);
        let left_out = &mut self.left_out;
        let recording = self.recording.clone();
        let (applied, digest) = ahead::ahead(layer, algorithm, |layer| match &mut self.upon {
            Ground::Directory(tree) => Applying::new(tree, left, left_out, goes_on).layer(layer),
            Ground::Image(image) => {
                let layer = journal::Tap { layer, recording };
                Applying::new(&mut **image, left, left_out, goes_on).layer(layer)
            }
        });
        applied.map(|()| digest)
    }

    /// All are laid: completes the image, if it is one.
    ///
    /// # Errors
    /// [`LayerError::Io`].
    pub(crate) fn complete(self) -> Result<Laid, LayerError> {
        let image = match self.upon {
            Ground::Directory(_) => None,
            Ground::Image(image) => Some(
                image
                    .complete()
                    .map_err(LayerError::io("complete", b"image"))?,
            ),
        };
        // The image's own hold on it is gone.
        let recording = self.recording.and_then(Rc::into_inner);
        let recorded = recording.map(|recording| recording.into_inner().finish());
        Ok(Laid {
            image,
            left_out: self.left_out,
            recorded: recorded.unwrap_or_default(),
        })
    }

    /// What was left out so far.
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }
}

#[cfg(test)]
mod tests;
