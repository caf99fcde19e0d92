//! The way of an image to its system: into a directory of this host's, or over ssh.

mod local;
mod remote;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use remote::Host;

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
    /// Nobody waits for it any more.
    #[error("{program} to {host} hasn't ended")]
    Stopped {
        /// Which.
        program: &'static str,
        /// Where to.
        host: String,
    },
}

/// Where a system's images are.
pub(super) struct Target<'a> {
    access: &'a Access,
    /// Another host is waited for until then.
    should_stop: &'a dyn Fn() -> bool,
    pull_time: Duration,
}

impl<'a> Target<'a> {
    /// That of a system.
    pub(super) fn of(
        gateway: &'a Gateway,
        system: &str,
        should_stop: &'a dyn Fn() -> bool,
    ) -> Option<Self> {
        let platform = gateway.configuration.platforms.get(system)?;
        Some(Self {
            access: &platform.access,
            should_stop,
            pull_time: gateway.configuration.limits.pull_time,
        })
    }

    /// Where an image's file is then, if that is on this host.
    pub(super) fn path(&self, id: &str, format: Format) -> Option<PathBuf> {
        match self.access {
            Access::Local(directory) => Some(directory.join(file_name(id, format))),
            Access::Remote(_) => None,
        }
    }

    /// Puts an image's file there, whole and on the disk. A local file may be moved.
    pub(super) fn put_image(
        &self,
        file: &Path,
        id: &str,
        format: Format,
    ) -> Result<(), TransferError> {
        let name = file_name(id, format);
        match self.access {
            Access::Local(directory) => local::put_image(directory, &name, file),
            Access::Remote(remote) => self.host(remote).put(&name, file),
        }
    }

    /// Puts its `.meta` there, which makes it one that nodes see.
    pub(super) fn put_meta(&self, id: &str, text: &[u8]) -> Result<(), TransferError> {
        let name = format!("{id}.meta");
        match self.access {
            Access::Local(directory) => local::put_meta(directory, &name, text),
            Access::Remote(remote) => self.host(remote).put_text(&name, text),
        }
    }

    /// Whether its file is there with this length, as far as can be seen from here.
    pub(super) fn has(&self, id: &str, format: Format, size: u64) -> bool {
        let name = file_name(id, format);
        match self.access {
            Access::Local(directory) => local::has(directory, &name, size),
            Access::Remote(remote) => self.host(remote).has(&name, size),
        }
    }

    /// Removes both, the `.meta` first. What isn't there is gone.
    pub(super) fn remove(&self, id: &str, format: Format) -> Result<(), TransferError> {
        let names = [format!("{id}.meta"), file_name(id, format)];
        match self.access {
            Access::Local(directory) => local::remove(directory, &names),
            Access::Remote(remote) => self.host(remote).remove(&names),
        }
    }

    fn host<'b>(&'b self, remote: &'b Remote) -> Host<'b> {
        Host {
            remote,
            should_stop: self.should_stop,
            pull_time: self.pull_time,
        }
    }
}

fn file_name(id: &str, format: Format) -> String {
    format!("{id}.{}", format.name())
}
