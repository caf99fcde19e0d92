//! A tree becomes an image file: beside its place first, then whole in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use image_files::FileDigests;
use image_files::convert::{ConvertError, Watch, clean, write_erofs, write_squashfs};
use rustix::fs::fsync;

use super::error::PullError;
use super::meter::Meter;
use super::request::{Format, Progress, PullRequest};
use super::scratch::number;

/// An image file.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) digests: FileDigests,
    pub(super) size: u64,
}

/// Writes `tree` to `place`.
///
/// # Errors
/// [`PullError`]; what is at `place` is then what was there.
pub(super) fn image(
    tree: &Path,
    format: Format,
    place: &Path,
    progress: &dyn Progress,
) -> Result<Made, PullError> {
    // Layers leave nothing to be cleaned, and this is what sees to it.
    let cleaned = clean(tree).map_err(failed)?;
    let part = Part::beside(place);
    let mut watch = Watching(Meter::new(progress, 0, None), progress);
    match format {
        Format::Erofs => write_erofs(tree, &part.0, cleaned.newest, &mut watch),
        Format::Squashfs => write_squashfs(tree, &part.0, &mut watch),
    }
    .map_err(failed)?;
    let file = File::open(&part.0).map_err(PullError::io("open", &part.0))?;
    let size = file.metadata().map_err(PullError::io("look at", &part.0))?;
    let size = size.len();
    let digests = FileDigests::of(&file).map_err(PullError::io("read", &part.0))?;
    let above = match place.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    let directory = File::open(above).map_err(PullError::io("open", above))?;
    file.sync_all()
        .and_then(|()| fs::rename(&part.0, place))
        .map_err(PullError::io("put in its place", place))?;
    fsync(&directory).map_err(PullError::io("write to the disk", above))?;
    progress.bytes(size, Some(size));
    Ok(Made { digests, size })
}

/// The site's judgement of an unpacked image.
///
/// # Errors
/// [`PullError::Examined`].
pub(super) fn judge(
    tree: &Path,
    request: &PullRequest,
    progress: &dyn Progress,
) -> Result<(), PullError> {
    let judged = progress.examine(tree);
    judged.map_err(|reason| PullError::Examined {
        image: request.source.to_string(),
        reason,
    })
}

/// For `map_err`.
pub(super) fn failed(error: ConvertError) -> PullError {
    match error {
        ConvertError::Unwanted => PullError::Stopped,
        error => PullError::Convert(error),
    }
}

/// What is written so far, which vanishes where it doesn't get to its place.
struct Part(PathBuf);

impl Part {
    fn beside(place: &Path) -> Self {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        Self(place.with_file_name(format!(".{name}.{}.part", number())))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
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
