//! A file of a user's as an image.

use std::io::{self, Read};
use std::path::{Path, absolute};

use anyhow::{Context, Result, bail};
use bundles::shifter::image::{Caller, Image, Meta};
use image_files::FileSystem;

use super::open::{OpenError, open_as};

/// The most that a `.meta` file may hold, in bytes.
const MAX_META: u64 = 1 << 20;

/// The file at `path`, opened with the rights of `caller`, with what the `.meta` file beside it says, where there is one.
///
/// # Errors
/// That it can't be opened, or holds no image; that its `.meta` file isn't one, or says that it holds another.
pub fn users_image(path: &Path, caller: &Caller) -> Result<Image> {
    let shown = path.display();
    let path = absolute(path).with_context(|| format!("image {shown}: find it"))?;
    let file = open_as(&path, caller)?;
    let found = FileSystem::of(&file).with_context(|| format!("image {shown}"))?;
    let format = found.kind.format();
    let meta = meta_beside(&path, caller)?;
    let mut image = Image::of_users(file.into(), path, format);
    if let Some(meta) = meta {
        if meta.format != format {
            bail!(
                "image {shown}: holds {}, its .meta file says another",
                found.kind.name()
            );
        }
        image.meta = meta;
    }
    Ok(image)
}

/// `NAME.meta` beside `NAME.ENDING`.
pub(super) fn meta_beside(image: &Path, caller: &Caller) -> Result<Option<Meta>> {
    let path = image.with_extension("meta");
    let file = match open_as(&path, caller) {
        Err(OpenError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        opened => opened?,
    };
    let mut text = vec![];
    let read = file.take(MAX_META + 1).read_to_end(&mut text);
    read.with_context(|| format!("read {}", path.display()))?;
    if text.len() as u64 > MAX_META {
        bail!("{}: is longer than {MAX_META} bytes", path.display());
    }
    let meta = Meta::parse(&text, &path).with_context(|| format!("image {}", image.display()))?;
    Ok(Some(meta))
}
