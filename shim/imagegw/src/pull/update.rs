//! An image file of layers, those that images have which were made before taken from there.

use super::error::PullError;
use super::make::{self, Made};
use super::pulled::LeftOut;
use super::puller::{Fetching, Puller};
use super::request::{PullRequest, Step};
use super::unpacking::{Layer, Taker};

impl Puller {
    /// Makes an image file without a tree, what was left out of it, and how many of its layers were taken from earlier
    /// images. Where that fails, whatever the reason, all is made anew.
    ///
    /// # Errors
    /// [`PullError`]; what is at the destination is then what was there.
    pub(super) fn update(
        &self,
        fetching: &Fetching<'_>,
        layers: &[Layer<'_>],
        request: &PullRequest,
    ) -> Result<(Made, LeftOut, usize), PullError> {
        let Fetching {
            origin, progress, ..
        } = *fetching;
        let stays_at = request.stays_at.as_deref();
        let stays_at = stays_at.filter(|_| origin.registry().is_some());
        let make = |layers: &[Layer<'_>]| {
            let recording = stays_at.and_then(|_| self.earlier.recording());
            let fetch = |taker: &Taker<'_>| fetching.layers(layers, taker);
            let bounds = self.settings.bounds;
            make::as_it_comes(bounds, layers, recording, request, progress, fetch)
        };
        let found = self.earlier.layers(origin, layers);
        let records: Vec<_> = found
            .iter()
            .filter_map(|layer| layer.earlier.as_ref())
            .collect();
        let (made, laid, taken_over) = match make(&found) {
            Err(PullError::Layer { .. } | PullError::Digest { .. }) if !records.is_empty() => {
                progress.step(Step::Pulling);
                let (made, laid) = make(layers)?;
                // It was theirs, for all layers are good: they are written anew, or aren't of use.
                records.iter().for_each(|record| record.remove());
                (made, laid, 0)
            }
            made => {
                let (made, laid) = made?;
                (made, laid, records.len())
            }
        };
        if let Some(image) = stays_at {
            self.earlier
                .keep(origin, layers, laid.recorded, image, made.size);
        }
        Ok((made, laid.left_out, taken_over))
    }
}
