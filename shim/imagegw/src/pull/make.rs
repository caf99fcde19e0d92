//! Layers, or a tree of them, become an image file: beside its place first, then whole in it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;

use image_files::convert::{
    ConvertError, Place, Scratch, Watch, WriteOptions, clean, write_erofs, write_squashfs,
};
use image_files::{processors, verity_digest, write_behind};

use super::error::PullError;
use super::meter::Meter;
use super::request::{Format, Progress, PullRequest, Step};
use super::scratch::Scratch as Unpacked;
use super::unpacking::{Layer, Taker, unpack};
use crate::layers::{Bounds, Laid, Layers, Recording};

/// An image file.
#[derive(Debug)]
pub(super) struct Made {
    /// What fs-verity calls it.
    pub(super) digest: String,
    pub(super) size: u64,
}

/// Writes the tree in `unpacked`, which vanishes, to the request's destination: in a directory beside it first, which
/// the next one takes away where this is killed.
///
/// # Errors
/// [`PullError`]; what is at the destination is then what was there.
pub(super) fn image(
    unpacked: Unpacked,
    wanted: &WriteOptions,
    request: &PullRequest,
    progress: &dyn Progress,
) -> Result<Made, PullError> {
    let tree = &unpacked.tree();
    // Layers leave nothing to be cleaned, and this is what sees to it.
    let cleaned = clean(tree).map_err(failed)?;
    let place = place(request);
    let scratch = Scratch::new(place.above()).map_err(failed)?;
    let part = scratch.path().join("image");
    let mut watch = Watching(Meter::new(progress, 0, None), progress);
    write_behind(&part, || match request.format {
        Format::Erofs => write_erofs(tree, &part, cleaned.newest, wanted, &mut watch),
        Format::Squashfs => write_squashfs(tree, &part, wanted, &mut watch),
    })
    .map_err(failed)?;
    let digest = |file: &File| verity_digest(file, processors());
    finish(&place, &part, Some(unpacked), digest, progress)
}

/// Whether the image is written as its layers come: an EROFS as usual, and nobody wants to see it unpacked.
pub(super) fn is_written_as_it_comes(
    wanted: &WriteOptions,
    request: &PullRequest,
    progress: &dyn Progress,
) -> bool {
    request.format == Format::Erofs && wanted.is_usual_erofs() && !progress.examines()
}

/// Writes `layers` to the request's destination as `fetch` hands them over, without a tree; written down, if there is
/// something for it.
///
/// # Errors
/// [`PullError`]; what is at the destination is then what was there.
pub(super) fn as_it_comes(
    bounds: Bounds,
    layers: &[Layer<'_>],
    recording: Option<Recording>,
    request: &PullRequest,
    progress: &dyn Progress,
    fetch: impl FnOnce(&Taker<'_>) -> Result<(), PullError>,
) -> Result<(Made, Laid), PullError> {
    let place = place(request);
    let scratch = Scratch::new(place.above()).map_err(failed)?;
    let part = scratch.path().join("image");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(&part).map_err(PullError::io("make", &part))?;
    let begin = || Ok(Layers::image(file, bounds, recording));
    let laid = write_behind(&part, || unpack(begin, layers, progress, fetch))?;
    progress.step(Step::Conversion);
    let digest = |_: &File| {
        let image = laid.image.as_ref();
        let image = image.ok_or_else(|| io::Error::other("nothing was written"))?;
        Ok(image.digest.clone())
    };
    let made = finish(&place, &part, None, digest, progress)?;
    Ok((made, laid))
}

fn place(request: &PullRequest) -> Place<'_> {
    Place {
        path: &request.destination,
        replace: true,
    }
}

/// Puts a file that is written, but not on the disk yet, in its place.
fn finish(
    place: &Place<'_>,
    part: &Path,
    unpacked: Option<Unpacked>,
    digest: impl FnOnce(&File) -> io::Result<String>,
    progress: &dyn Progress,
) -> Result<Made, PullError> {
    let file = File::open(part).map_err(PullError::io("open", part))?;
    let size = file.metadata().map_err(PullError::io("look at", part))?;
    let size = size.len();
    let digest = sync(&file, unpacked, digest).map_err(PullError::io("read", part))?;
    place.put(part).map_err(failed)?;
    progress.bytes(size, Some(size));
    Ok(Made { digest, size })
}

/// The file's digest, while it is brought to the disk, and while what it was made of is taken away: the one keeps
/// processors busy, the others the disk.
fn sync(
    file: &File,
    unpacked: Option<Unpacked>,
    digest: impl FnOnce(&File) -> io::Result<String>,
) -> io::Result<String> {
    thread::scope(|scope| {
        scope.spawn(move || drop(unpacked));
        let syncing = scope.spawn(|| file.sync_all());
        let digest = digest(file);
        // The kernel tells of a failure once.
        let synced = syncing.join();
        synced.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        digest
    })
}

/// The site's judgement of an unpacked image.
///
/// # Errors
/// [`PullError::Examined`]; [`PullError::Stopped`] where nobody waits for it any more.
pub(super) fn judge(
    tree: &Path,
    request: &PullRequest,
    progress: &dyn Progress,
) -> Result<(), PullError> {
    let judged = progress.examine(tree);
    judged.map_err(|reason| match progress.should_stop() {
        true => PullError::Stopped,
        false => PullError::Examined {
            image: request.source.to_string(),
            reason,
        },
    })
}

/// For `map_err`.
pub(super) fn failed(error: ConvertError) -> PullError {
    match error {
        ConvertError::Unwanted => PullError::Stopped,
        error => PullError::Convert(error),
    }
}

/// Tells of the work of programs.
pub(super) struct Watching<'a>(pub Meter<'a>, pub &'a dyn Progress);

impl Watch for Watching<'_> {
    fn step(&mut self, _: &'static str) {}

    fn goes_on(&mut self, bytes: Option<u64>) {
        let _ = self.0.goes_on(bytes.unwrap_or(0));
    }

    fn should_stop(&mut self) -> bool {
        self.1.should_stop()
    }

    fn minds_signals(&self) -> bool {
        // Whose process it is minds them.
        false
    }
}
