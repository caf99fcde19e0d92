//! What is to be pulled, and whoever follows it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::credentials::Credentials;
use super::source::Source;
use crate::blobs::Digest;

/// One image that is wanted.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// Where it is.
    pub source: Source,
    /// For which machines, where the source has it for several.
    pub platform: Platform,
    /// What the source is shown, if it asks.
    pub credentials: Credentials,
    /// What is made of it.
    pub format: Format,
    /// The file that is to be there. Its directory is on a local disk; what is there already is replaced.
    pub destination: PathBuf,
    /// Where the file stays on this host, for layers of later images to be taken from it; none where it won't.
    pub stays_at: Option<PathBuf>,
}

impl PullRequest {
    /// The same, but for the image that has this digest, whatever a tag means in the meantime. Only registries are
    /// asked so; other sources don't change below a request.
    pub fn at(mut self, digest: Digest) -> Self {
        if let Source::Registry(reference) = &mut self.source {
            *reference = reference.at(digest);
        }
        self
    }
}

/// The machines that an image is for, in the words of the OCI image specification (Go's `GOOS` and `GOARCH`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, `ppc64le`, ….
    pub architecture: String,
    /// `v7`, `v8`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// That of this machine.
    pub fn here() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "powerpc64" => "ppc64",
            "x86" => "386",
            other => other,
        };
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.os, self.architecture)?;
        self.variant
            .iter()
            .try_for_each(|variant| write!(to, "/{variant}"))
    }
}

/// File systems that image files are made with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// EROFS, not compressed: the soonest to start from.
    #[default]
    Erofs,
    /// squashfs, compressed with zstd.
    Squashfs,
}

impl Format {
    /// As in a `.meta` file's FORMAT, and as an image file's ending.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erofs => "erofs",
            Self::Squashfs => "squashfs",
        }
    }
}

/// The steps of a pull, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The manifest, its signatures and the layers are fetched.
    Pulling,
    /// The layers are laid upon each other, and what has no place in an image is refused or left out.
    Examination,
    /// The image file is written.
    Conversion,
}

/// Follows a pull. Called on the thread that pulls, a few times a second at most.
pub trait Progress {
    /// A step begins.
    fn step(&self, step: Step);
    /// So much of it is done; `total` where that is known. In Pulling, bytes of layers; in Examination, bytes of
    /// layers, unpacked; in Conversion, bytes of the image file.
    fn bytes(&self, done: u64, total: Option<u64>);
    /// Looks at what was unpacked, before anything is made of it; an error is why nothing shall be.
    ///
    /// # Errors
    /// What the site has against it.
    fn examine(&self, _tree: &std::path::Path) -> Result<(), String> {
        Ok(())
    }
    /// Whether there is anybody to [`examine`](Self::examine) it, for whom it is unpacked.
    fn examines(&self) -> bool {
        false
    }
    /// Whether nobody wants the image any more.
    fn should_stop(&self) -> bool {
        false
    }
}

/// For whom nobody waits.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn step(&self, _: Step) {}
    fn bytes(&self, _: u64, _: Option<u64>) {}
}
