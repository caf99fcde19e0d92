//! A tree becomes an image file: beside its place first, then whole in it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;

use image_files::convert::{
    ConvertError, Place, Scratch, Watch, WriteOptions, clean, write_erofs, write_squashfs,
};
use image_files::{FileDigests, write_behind};

use super::error::PullError;
use super::meter::Meter;
use super::request::{Format, Progress, PullRequest};
use super::scratch::Scratch as Unpacked;

/// An image file.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) digests: FileDigests,
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
    let place = Place {
        path: &request.destination,
        replace: true,
    };
    let scratch = Scratch::new(place.above()).map_err(failed)?;
    let part = scratch.path().join("image");
    let mut watch = Watching(Meter::new(progress, 0, None), progress);
    write_behind(&part, || match request.format {
        Format::Erofs => write_erofs(tree, &part, cleaned.newest, wanted, &mut watch),
        Format::Squashfs => write_squashfs(tree, &part, wanted, &mut watch),
    })
    .map_err(failed)?;
    let file = File::open(&part).map_err(PullError::io("open", &part))?;
    let size = file.metadata().map_err(PullError::io("look at", &part))?;
    let size = size.len();
    let digests = digests(&file, unpacked).map_err(PullError::io("read", &part))?;
    place.put(&part).map_err(failed)?;
    progress.bytes(size, Some(size));
    Ok(Made { digests, size })
}

/// The file's digests, while it is brought to the disk, and while what it was made of is taken away: the one keeps the
/// processor busy, the others the disk.
fn digests(file: &File, unpacked: Unpacked) -> io::Result<FileDigests> {
    thread::scope(|scope| {
        scope.spawn(move || drop(unpacked));
        let syncing = scope.spawn(|| file.sync_all());
        let digests = FileDigests::of(file);
        // The kernel tells of a failure once.
        let synced = syncing.join();
        synced.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        digests
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
