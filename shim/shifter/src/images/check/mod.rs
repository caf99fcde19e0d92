//! Whether an image's file is the one that was made: its digest, compared with the one in its `.meta` file.
//!
//! It is the open file that is looked at, the one that is mounted then. What its owner writes to it afterwards, fs-verity
//! sees at every read; else the next check does.

mod known;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use bundles::shifter::image::{Format, Image};
use image_files::{content_digest, measured_digest, verity_digest};
use runtime::policy::VerifyImages;

pub use known::Known;
use known::Stamp;

/// How an image's file was found to be the right one, or why nobody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// By the kernel, which sees to it whenever the file is read.
    ByKernel,
    /// All of it was read.
    Read,
    /// All of it was read once, and it hasn't changed since.
    ReadBefore,
    /// Nobody looked; why.
    Not(&'static str),
}

/// Why an image isn't used. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// It isn't what was made.
    #[error(
        "image {}: is not the file that was made: its {kind} is {found}, in its .meta file it is {wanted}",
        path.display()
    )]
    Another {
        /// The file.
        path: PathBuf,
        /// Which digest.
        kind: &'static str,
        /// The file's.
        found: String,
        /// The one that it should have.
        wanted: String,
    },
    /// Somebody writes to it.
    #[error("image {}: was written to while it was read", .0.display())]
    Changing(PathBuf),
    /// The site wants one.
    #[error(
        "image {}: no digest of it is known, and the site's policy requires one (verify-images = \"required\")",
        .0.display()
    )]
    Unknown(PathBuf),
    /// It can't be read.
    #[error("image {}: compare its digest: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl fmt::Display for Checked {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByKernel => to.write_str(
                "is the file that was made: its fs-verity digest, which the kernel keeps it to",
            ),
            Self::Read => {
                to.write_str("is the file that was made: its digest, all of it was read now")
            }
            Self::ReadBefore => to.write_str(
                "is the file that was made: its digest, read before and not changed since",
            ),
            Self::Not(why) => write!(to, "not compared with its digest: {why}"),
        }
    }
}

/// Compares the file of `image` as the site wants it; `known` is what was read before.
///
/// # Errors
/// [`CheckError`]: the image must not be used.
pub fn check(
    image: &Image,
    wanted: VerifyImages,
    known: Option<&Known>,
) -> Result<Checked, CheckError> {
    let digests = &image.meta.digests;
    if wanted == VerifyImages::Never {
        return Ok(Checked::Not("the site's policy says never"));
    }
    let is_named = digests.content.is_some() || digests.verity.is_some();
    if image.meta.format == Format::Vfs || !is_named {
        return match wanted {
            VerifyImages::Required => Err(CheckError::Unknown(image.path.clone())),
            _ => Ok(Checked::Not("none is known")),
        };
    }
    let failed = |source: io::Error| CheckError::Io {
        path: image.path.clone(),
        source,
    };
    let file = File::from(image.file.try_clone().map_err(failed)?);
    if let Some(named) = &digests.verity
        && let Some(measured) = measured_digest(&file).map_err(failed)?
    {
        return same(image, "fs-verity digest", measured, named).map(|()| Checked::ByKernel);
    }
    if wanted == VerifyImages::FsVerity {
        return Ok(Checked::Not("the file has no fs-verity"));
    }
    match (&digests.content, &digests.verity) {
        (Some(named), _) => by_reading(image, &file, ("SHA-256", content_digest), named, known),
        (None, Some(named)) => by_reading(image, &file, VERITY, named, known),
        (None, None) => Ok(Checked::Not("none is known")),
    }
}

/// A digest for which a file is read: what it is called, and how it is computed.
type Reading = (&'static str, fn(&File) -> io::Result<String>);

/// That of fs-verity, where the kernel doesn't keep it. By one thread: one that has ended counts in the kernel a moment
/// longer, and whoever has several gets no namespace.
const VERITY: Reading = ("fs-verity digest", |file| verity_digest(file, 1));

fn by_reading(
    image: &Image,
    file: &File,
    (kind, digest): Reading,
    named: &str,
    known: Option<&Known>,
) -> Result<Checked, CheckError> {
    let failed = |source: io::Error| CheckError::Io {
        path: image.path.clone(),
        source,
    };
    let stamp = Stamp::of(file).map_err(failed)?;
    if known.is_some_and(|known| known.has(&stamp, named)) {
        return Ok(Checked::ReadBefore);
    }
    let found = digest(file).map_err(failed)?;
    if Stamp::of(file).map_err(failed)? != stamp {
        return Err(CheckError::Changing(image.path.clone()));
    }
    same(image, kind, found, named)?;
    if let Some(known) = known {
        known.note(&stamp, named);
    }
    Ok(Checked::Read)
}

fn same(image: &Image, kind: &'static str, found: String, wanted: &str) -> Result<(), CheckError> {
    match found == wanted {
        true => Ok(()),
        false => Err(CheckError::Another {
            path: image.path.clone(),
            kind,
            found,
            wanted: wanted.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bundles::shifter::image::Digests;

    use super::*;

    fn image(path: &std::path::Path, digests: Digests) -> Image {
        let file = File::open(path).unwrap();
        let mut image = Image::of_users(file.into(), path.to_path_buf(), Format::Erofs);
        image.meta.digests = digests;
        image
    }

    const READ: &str = "is the file that was made: its digest, all of it was read now";
    const NO_VERITY: &str = "not compared with its digest: the file has no fs-verity";
    const UNKNOWN: &str = "not compared with its digest: none is known";

    #[test]
    fn what_is_wanted_decides() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x.erofs");
        fs::write(&path, "an image").unwrap();
        let file = File::open(&path).unwrap();
        let content = |named: &str| Digests {
            content: Some(named.to_owned()),
            ..Digests::default()
        };
        let verity = |named: &str| Digests {
            verity: Some(named.to_owned()),
            ..Digests::default()
        };
        let wrong = &format!("sha256:{}", "0".repeat(64));
        let right = content(&content_digest(&file).unwrap());
        let right_verity = verity(&verity_digest(&file, 1).unwrap());
        // Older images have both: their SHA-256 is compared.
        let half = Digests {
            content: Some(wrong.clone()),
            ..right_verity.clone()
        };
        let none = Digests::default();
        use VerifyImages::{FsVerity, Never, Once, Required};
        for (wanted, named, told) in [
            (Never, &content(wrong), "the site's policy says never"),
            (Once, &none, UNKNOWN),
            (FsVerity, &none, UNKNOWN),
            (FsVerity, &content(wrong), NO_VERITY),
            (FsVerity, &verity(wrong), NO_VERITY),
            (Once, &right, READ),
            (Required, &right, READ),
            (Once, &right_verity, READ),
            (Required, &right_verity, READ),
            (Required, &none, "no digest of it is known"),
            (Once, &content(wrong), "its SHA-256 is sha256:"),
            (Required, &content(wrong), "its SHA-256 is sha256:"),
            (Once, &verity(wrong), "its fs-verity digest is sha256:"),
            (Required, &verity(wrong), "its fs-verity digest is sha256:"),
            (Once, &half, "its SHA-256 is sha256:"),
        ] {
            let found = match check(&image(&path, named.clone()), wanted, None) {
                Ok(checked) => checked.to_string(),
                Err(error) => error.to_string(),
            };
            assert!(found.contains(told), "{wanted:?} {named:?}: {found}");
        }
    }
}
