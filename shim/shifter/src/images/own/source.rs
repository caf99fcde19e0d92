//! What is known of an image that another one is made of: it is the user's own, or the store's that the user may read.

use std::fs::File;
use std::path::Path;

use anyhow::{Result, bail};
use bundles::shifter::image::{Caller, Format, Image, Meta};
use image_files::FileSystem;
use runtime::policy::VerifyImages;

use super::image::meta_beside;
use crate::images::check::check;

/// What the `.meta` file beside the image's file, or the directory, at `source` says; none where there is none. A file
/// has to be the one that it says.
///
/// # Errors
/// That it can't be read, is none, or says another file.
pub fn meta_of_source(source: &Path, caller: &Caller) -> Result<Option<Meta>> {
    let Some(meta) = meta_beside(source, caller)? else {
        return Ok(None);
    };
    if source.is_dir() {
        // Else it is a file's of the same name.
        return Ok(Some(meta).filter(|meta| meta.format == Format::Vfs));
    }
    let shown = source.display();
    let file = File::open(source)?;
    let found = FileSystem::of(&file)?.kind;
    if found.format() != meta.format {
        bail!(
            "image {shown}: holds {}, its .meta file says another",
            found.name()
        );
    }
    let mut image = Image::of_users(file.into(), source.to_path_buf(), meta.format);
    image.meta = meta;
    check(&image, VerifyImages::Once, None)?;
    Ok(Some(image.meta))
}
