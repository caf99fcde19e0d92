//! Why no image was made. One line.

use std::io;
use std::path::{Path, PathBuf};

use crate::sandbox::SandboxError;
use crate::superblock::NotAnImage;

/// Why no image was made. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The source isn't what it should be, or what was written isn't.
    #[error("image {} {source}", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: NotAnImage,
    },
    /// No program reads it.
    #[error(
        "image {}: only a kernel reads {name}; hint: shifter image mount it, and convert the directory", path.display()
    )]
    KernelOnly {
        /// The file.
        path: PathBuf,
        /// Its file system.
        name: &'static str,
    },
    /// Layers, not a tree.
    #[error(
        "{} is an OCI layout, whose layers are unpacked into an image; hint: NAME.erofs or NAME.squashfs",
        .0.display()
    )]
    OciLayout(PathBuf),
    /// The destination is there.
    #[error("{} exists; hint: --force replaces a file", .0.display())]
    Exists(PathBuf),
    /// An operation on a file.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What failed.
        operation: &'static str,
        /// Upon what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A program isn't there.
    #[error("{program} is not installed; hint: its package is {package}")]
    Missing {
        /// Its name.
        program: &'static str,
        /// Debian's package.
        package: &'static str,
    },
    /// A program failed.
    #[error("{program}: {how}{said}")]
    Tool {
        /// Its name.
        program: &'static str,
        /// How it ended.
        how: String,
        /// What it said last, after a colon; or nothing.
        said: String,
    },
    /// More than somebody wants.
    #[error("image {}: more than {bytes} bytes or {entries} entries, unpacked", path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// The limit of bytes.
        bytes: u64,
        /// The limit of files, directories and links.
        entries: u64,
    },
    /// Nothing is unpacked without one.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A signal.
    #[error("stopped by signal {0}")]
    Stopped(i32),
    /// [`super::Watch::should_stop`].
    #[error("stopped")]
    Unwanted,
}

impl ConvertError {
    /// For `map_err`.
    pub(super) fn io<E: Into<io::Error>>(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self + use<E> {
        let path = path.to_path_buf();
        move |source| Self::Io {
            operation,
            path,
            source: source.into(),
        }
    }
}
