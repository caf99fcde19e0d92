//! Image files written from a tree: the same, byte for byte, for the same tree.

use std::fs::File;
use std::path::Path;

use super::error::ConvertError;
use super::options::WriteOptions;
use super::tool::{Tool, Watch};
use crate::superblock::{FileSystem, Kind};

const NO_NAME: &str = "00000000-0000-0000-0000-000000000000";

/// Writes `tree` to `image` as an EROFS: all root's, without attributes, and not compressed unless that is `wanted`.
/// `newest` isn't before the time of any file in it, seconds since 1970.
///
/// # Errors
/// [`ConvertError`]; `image` may be there then.
pub fn write_erofs(
    tree: &Path,
    image: &Path,
    newest: i64,
    wanted: &WriteOptions,
    watch: &mut dyn Watch,
) -> Result<(), ConvertError> {
    // No attribute, no name, and no time but those of the files, which this one isn't before: the same tree
    // gives the same image.
    let options = ["--quiet", "-x-1", "--all-root", "-U", NO_NAME];
    let tool = Tool::new("mkfs.erofs", "erofs-utils").args(options);
    let tool = tool.args(wanted.erofs().iter().map(String::as_str));
    let tool = tool.env("SOURCE_DATE_EPOCH", &newest.to_string());
    write(tool.arg(image).arg(tree), image, Kind::Erofs, watch)
}

/// Writes `tree` to `image` as a squashfs: all root's, without attributes, and compressed with zstd unless another is
/// `wanted`.
///
/// # Errors
/// [`ConvertError`]; `image` may be there then.
pub fn write_squashfs(
    tree: &Path,
    image: &Path,
    wanted: &WriteOptions,
    watch: &mut dyn Watch,
) -> Result<(), ConvertError> {
    let tool = Tool::new("mksquashfs", "squashfs-tools")
        .arg(tree)
        .arg(image);
    let options = "-noappend -no-progress -quiet -no-xattrs -all-root -mkfs-time 0";
    let tool = tool.args(options.split(' '));
    let wanted = wanted.squashfs();
    let tool = tool.args(wanted.iter().map(String::as_str));
    write(tool, image, Kind::Squashfs, watch)
}

/// Runs `tool`, and sees that what it has written is whole.
fn write(tool: Tool, image: &Path, kind: Kind, watch: &mut dyn Watch) -> Result<(), ConvertError> {
    watch.step("write");
    tool.run(watch, Some(image))?;
    let file = File::open(image).map_err(ConvertError::io("open", image))?;
    FileSystem::must_be(&file, kind)
        .map(drop)
        .map_err(|source| ConvertError::NotAnImage {
            path: image.to_path_buf(),
            source,
        })
}
