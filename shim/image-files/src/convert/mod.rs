//! An image made of another: unpacked, made harmless, and written whole or not at all.
//!
//! File systems are read and written by their own programs, as the user who asks, beside the destination.

mod clean;
mod copy;
mod error;
mod options;
mod place;
mod scratch;
mod tool;
mod untrusted;
mod write;

use std::fs::{self, File};
use std::path::Path;

pub use clean::{Cleaned, clean, harmless};
pub use error::ConvertError;
pub use options::{RefusedOption, WriteOptions};
pub use place::Place;
pub use scratch::{Scratch, sweep};
pub use tool::Watch;
pub use untrusted::{Most, unpack_untrusted};
pub use write::{write_erofs, write_squashfs};

use crate::digest::{processors, verity_digest};
use crate::meta::MetaText;
use crate::superblock::{FileSystem, Kind};
use bundles::shifter::image::Digests;
use tool::{Tool, Untroubled};

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A squashfs, compressed with zstd.
    Squashfs,
    /// An EROFS that isn't compressed: the soonest to start from.
    Erofs,
    /// A directory.
    Directory,
}

/// What an image is made of.
#[derive(Debug)]
enum Source {
    File(File, Kind),
    Directory,
}

/// A conversion.
#[derive(Debug)]
pub struct Conversion<'a> {
    /// An image, or a directory.
    pub source: &'a Path,
    /// What isn't there yet.
    pub destination: &'a Path,
    /// What is to be there.
    pub target: Target,
    /// Whether what is there may be replaced; never a directory.
    pub replace: bool,
    /// What the `.meta` file beside an image's file says, but for format and digests, which are the new file's. None for
    /// no such file.
    pub meta: Option<&'a MetaText<'a>>,
}

impl Conversion<'_> {
    /// Does it, telling `watch` of each step.
    ///
    /// # Errors
    /// [`ConvertError`]; the destination is as it was then, and nothing is beside it.
    pub fn run(&self, watch: &mut dyn Watch) -> Result<Cleaned, ConvertError> {
        let source = self.look()?;
        let place = Place {
            path: self.destination,
            replace: self.replace,
        };
        let beside = self.destination.with_extension("meta");
        let meta_place = Place {
            path: &beside,
            ..place
        };
        let format = self.target.format();
        let meta = self.meta.zip(format);
        place.must_be_free()?;
        if meta.is_some() {
            meta_place.must_be_free()?;
        }
        let scratch = Scratch::new(place.above())?;
        let [tree, image, said] = ["tree", "image", "meta"].map(|name| scratch.path().join(name));
        self.unpack(source, &tree, watch)?;
        watch.step("clean");
        let cleaned = clean::clean(&tree)?;
        let usual = WriteOptions::default();
        let made = match self.target {
            Target::Directory => tree,
            Target::Erofs => {
                write_erofs(&tree, &image, cleaned.newest, &usual, watch)?;
                image
            }
            Target::Squashfs => {
                write_squashfs(&tree, &image, &usual, watch)?;
                image
            }
        };
        if let Some((meta, format)) = meta {
            watch.step("digest");
            let text = text_of(meta, format, &made)?;
            fs::write(&said, text).map_err(ConvertError::io("write", &said))?;
        }
        watch.step("put it in its place");
        place.put(&made)?;
        // Behind it: nobody finds in a store what isn't there.
        if meta.is_some() {
            meta_place.put(&said)?;
        }
        Ok(cleaned)
    }

    fn look(&self) -> Result<Source, ConvertError> {
        let path = self.source;
        let failed = ConvertError::io("open", path);
        let file = File::open(path).map_err(failed)?;
        let is_directory = file
            .metadata()
            .map_err(ConvertError::io("look at", path))?
            .is_dir();
        if is_directory {
            if path.join("oci-layout").exists() {
                return Err(ConvertError::OciLayout(path.to_path_buf()));
            }
            return Ok(Source::Directory);
        }
        let kind = FileSystem::of(&file).map_err(|source| ConvertError::NotAnImage {
            path: path.to_path_buf(),
            source,
        })?;
        match kind.kind {
            kind @ (Kind::Squashfs | Kind::Erofs) => Ok(Source::File(file, kind)),
            kind => Err(ConvertError::KernelOnly {
                path: path.to_path_buf(),
                name: kind.name(),
            }),
        }
    }

    fn unpack(
        &self,
        source: Source,
        tree: &Path,
        watch: &mut dyn Watch,
    ) -> Result<(), ConvertError> {
        match source {
            Source::Directory => {
                watch.step("copy");
                copy::copy(self.source, tree)
            }
            Source::File(file, kind) => {
                watch.step("unpack");
                unpacker(kind, tree).input(file).run(watch, None)
            }
        }
    }
}

impl Target {
    /// What a `.meta` file calls it; none for a directory.
    fn format(self) -> Option<&'static str> {
        match self {
            Self::Squashfs => Some("squashfs"),
            Self::Erofs => Some("erofs"),
            Self::Directory => None,
        }
    }
}

/// The text of the `.meta` file of the image's file at `made`.
fn text_of(meta: &MetaText<'_>, format: &str, made: &Path) -> Result<String, ConvertError> {
    let digest = File::open(made).and_then(|file| verity_digest(&file, processors()));
    let digests = Digests {
        content: None,
        verity: Some(digest.map_err(ConvertError::io("read", made))?),
        manifest: meta.digests.manifest.clone(),
    };
    // It was read in such a file: what can't be said there isn't in it.
    let (text, _) = MetaText {
        format,
        digests,
        ..meta.clone()
    }
    .text();
    Ok(text)
}

fn unpacker(kind: Kind, tree: &Path) -> Tool {
    // The image is its standard input: what was looked at is what is unpacked.
    let own = "/proc/self/fd/0";
    match kind {
        Kind::Erofs => {
            let mut extract = std::ffi::OsString::from("--extract=");
            extract.push(tree);
            Tool::new("fsck.erofs", "erofs-utils").arg(extract).args([
                "--preserve-perms",
                "--no-preserve-owner",
                own,
            ])
        }
        _ => Tool::new("unsquashfs", "squashfs-tools")
            .args(["-no-progress", "-no-xattrs", "-d"])
            .arg(tree)
            .arg(own)
            // It makes no device for a user, says so and ends with 2. They would be left out anyway.
            .untroubled_by(Untroubled {
                code: 2,
                lines_with: "because you're not superuser",
            }),
    }
}
