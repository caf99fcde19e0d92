//! Why an image can't be had. One line.

use std::io;
use std::path::{Path, PathBuf};

use image_files::{Kind, NotAnImage};

/// Why an image can't be had. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file isn't what it should be.
    #[error("image {} {source}", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: NotAnImage,
    },
    /// This kernel doesn't know the file system.
    #[error(
        "image {}: this kernel has no {}; hint: {}",
        path.display(),
        kind.name(),
        other_ways(*kind)
    )]
    NoFileSystem {
        /// The file.
        path: PathBuf,
        /// The file system.
        kind: Kind,
    },
    /// The kernel won't mount it.
    #[error("image {}: {operation}: {source}{told}", path.display())]
    Mount {
        /// The file.
        path: PathBuf,
        /// What failed.
        operation: &'static str,
        /// The cause.
        source: io::Error,
        /// What the kernel said about it, after a comma; or nothing.
        told: String,
    },
    /// Only root may ask for it.
    #[error("{what} is root's to do; hint: {hint}")]
    NotRoot {
        /// What it is.
        what: &'static str,
        /// How others get there.
        hint: &'static str,
    },
    /// The state directory, or what is in it.
    #[error("{operation} {}: {source}", path.display())]
    State {
        /// What failed.
        operation: &'static str,
        /// Upon what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The state directory is others' too.
    #[error("state directory {0}")]
    Untrusted(#[from] bundles::shifter::trusted::TrustError),
    /// It isn't the file that was made.
    #[error(transparent)]
    Check(#[from] super::check::CheckError),
    /// The process that keeps an image mounted.
    #[error("image {}: the process that keeps it mounted: {problem}", path.display())]
    Keeper {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl ImageError {
    /// For `map_err`: an operation on the state directory.
    pub(super) fn state<E: Into<io::Error>>(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self {
        let path = path.to_path_buf();
        move |source| Self::State {
            operation,
            path,
            source: source.into(),
        }
    }
}

/// What becomes of an image in this file system where this kernel doesn't read it.
pub(super) fn other_ways(kind: Kind) -> &'static str {
    match kind {
        Kind::Squashfs => "shifter image convert makes an erofs of it",
        Kind::Erofs => "shifter image convert makes a squashfs of it",
        Kind::Ext4 | Kind::Xfs | Kind::Cramfs => {
            "only a kernel reads it: where one has it, root mounts the image, and shifter image convert makes a squashfs of \
             that directory"
        }
    }
}
