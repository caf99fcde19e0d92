//! A file with a file system in it, as users have made them: unpacked by a program in a sandbox, and built anew. It has
//! neither layers nor a configuration.

use std::fs::File;
use std::io;
use std::path::Path;

use image_files::content_digest;
use image_files::convert::{Most, unpack_untrusted};

use super::error::PullError;
use super::make;
use super::meter::Meter;
use super::pulled::{Found, ImageConfig, LayerCount, LeftOut, Pulled};
use super::request::{Progress, PullRequest, Step};
use super::scratch::Scratch;
use super::settings::Settings;

/// What is known of the file at `path` before it is unpacked: its own digest stands for a manifest's.
///
/// # Errors
/// [`PullError`].
pub(super) fn found(path: &Path, most: u64) -> Result<Found, PullError> {
    let file = File::open(path).map_err(PullError::io("open", path))?;
    let size = file.metadata().map_err(PullError::io("look at", path))?;
    let size = size.len();
    if size > most {
        return Err(PullError::TooMuch {
            what: path.display().to_string(),
            most,
            unit: "bytes",
        });
    }
    let digest = content_digest(&file).and_then(|text| text.parse().map_err(io::Error::other));
    Ok(Found {
        manifest_digest: digest.map_err(PullError::io("read", path))?,
        size,
        is_private: false,
    })
}

/// Makes an image file of it.
///
/// # Errors
/// [`PullError`].
pub(super) fn pull(
    settings: &Settings,
    path: &Path,
    found: Found,
    request: &PullRequest,
    progress: &dyn Progress,
) -> Result<Pulled, PullError> {
    progress.step(Step::Examination);
    let file = File::open(path).map_err(PullError::io("open", path))?;
    let scratch = Scratch::new(&settings.expand)?;
    let tree = scratch.tree();
    let most = Most {
        bytes: settings.bounds.bytes,
        entries: settings.bounds.entries,
    };
    let mut watch = make::Watching(Meter::new(progress, 0, None), progress);
    unpack_untrusted(file, path, &tree, most, &mut watch).map_err(make::failed)?;
    make::judge(&tree, request, progress)?;
    progress.step(Step::Conversion);
    let made = make::image(scratch, &settings.written, request, progress)?;
    Ok(Pulled {
        found,
        config: ImageConfig::default(),
        file: request.destination.clone(),
        format: request.format,
        digest: made.digest,
        size: made.size,
        left_out: LeftOut::default(),
        layers: LayerCount::default(),
        signed_by: None,
    })
}
