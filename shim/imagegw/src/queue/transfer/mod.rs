//! The way of an image to its system: into a directory of this host's, or over ssh.

mod local;
mod remote;

use std::io;
use std::path::{Path, PathBuf};

use crate::configuration::{Access, Remote};
use crate::gateway::Gateway;
use crate::pull::Format;

/// What a file's name begins with until it is whole.
pub(super) const NEW: &str = ".imagegw-new-";

/// Why an image didn't get to its system.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file of this host's.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What failed.
        operation: &'static str,
        /// Upon what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// ssh or scp.
    #[error("{program} to {host}: {reason}")]
    Remote {
        /// Which.
        program: &'static str,
        /// Where to.
        host: String,
        /// What it said.
        reason: String,
    },
}

/// Where a system's images are.
#[derive(Debug)]
pub(super) enum Target {
    /// In this directory.
    Local(PathBuf),
    /// At another host.
    Remote(Remote),
}

impl Target {
    /// That of a system.
    pub(super) fn of(gateway: &Gateway, system: &str) -> Option<Self> {
        let platform = gateway.configuration.platforms.get(system)?;
        Some(match &platform.access {
            Access::Local(directory) => Self::Local(directory.clone()),
            Access::Remote(remote) => Self::Remote(remote.clone()),
        })
    }

    /// Puts an image's file there, whole and on the disk. A local file may be moved.
    pub(super) fn put_image(
        &self,
        file: &Path,
        id: &str,
        format: Format,
    ) -> Result<(), TransferError> {
        let name = file_name(id, format);
        match self {
            Self::Local(directory) => local::put_image(directory, &name, file),
            Self::Remote(remote) => remote::put(remote, &name, file),
        }
    }

    /// Puts its `.meta` there, which makes it one that nodes see.
    pub(super) fn put_meta(&self, id: &str, text: &[u8]) -> Result<(), TransferError> {
        let name = format!("{id}.meta");
        match self {
            Self::Local(directory) => local::put_meta(directory, &name, text),
            Self::Remote(remote) => remote::put_text(remote, &name, text),
        }
    }

    /// Whether its file is there with this length, as far as can be seen from here.
    pub(super) fn has(&self, id: &str, format: Format, size: u64) -> bool {
        let name = file_name(id, format);
        match self {
            Self::Local(directory) => local::has(directory, &name, size),
            Self::Remote(remote) => remote::has(remote, &name, size),
        }
    }

    /// Removes both, the `.meta` first. What isn't there is gone.
    pub(super) fn remove(&self, id: &str, format: Format) -> Result<(), TransferError> {
        let names = [format!("{id}.meta"), file_name(id, format)];
        match self {
            Self::Local(directory) => local::remove(directory, &names),
            Self::Remote(remote) => remote::remove(remote, &names),
        }
    }
}

fn file_name(id: &str, format: Format) -> String {
    format!("{id}.{}", format.name())
}
