//! Where a shim is reached: a socket whose name says for whom it is, so that a pod's next container finds it.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ring::digest::{SHA256, digest};

/// Where containerd's shims have their sockets, whatever its own directories are (containerd's shim.SocketAddress).
const SOCKETS: &str = "/run/containerd/s";

/// In a bundle, what tells a containerd that is started anew where the shim is.
const FILE: &str = "address";

/// A shim's address.
#[derive(Debug)]
pub struct Address {
    path: PathBuf,
}

/// Who serves an address.
#[derive(Debug)]
pub enum Claimed {
    /// Nobody yet: this is the socket to serve.
    New(UnixListener),
    /// A shim that runs.
    Taken,
}

impl Address {
    /// Of the shim of `group`, a container or a pod, in `namespace` of the containerd at `containerd`.
    pub fn of(containerd: &str, namespace: &str, group: &str) -> Self {
        let name = digest(
            &SHA256,
            format!("{containerd}/{namespace}/{group}").as_bytes(),
        );
        let name: String = name
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            path: Path::new(SOCKETS).join(name),
        }
    }

    /// As containerd reads it.
    pub fn url(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// Becomes the one that serves it, unless a shim does already.
    ///
    /// # Errors
    /// Where the socket can't be made.
    pub fn claim(&self) -> Result<Claimed> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(SOCKETS)
            .with_context(|| format!("make {SOCKETS}"))?;
        let shown = self.path.display();
        match UnixListener::bind(&self.path) {
            Ok(listener) => return Ok(Claimed::New(listener)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).with_context(|| format!("make socket {shown}")),
        }
        if UnixStream::connect(&self.path).is_ok() {
            return Ok(Claimed::Taken);
        }
        // What a shim left that was killed.
        self.forget();
        UnixListener::bind(&self.path)
            .map(Claimed::New)
            .with_context(|| format!("make socket {shown}"))
    }

    /// Removes the socket.
    pub fn forget(&self) {
        // One that isn't there is as good.
        let _ = fs::remove_file(&self.path);
    }

    /// Writes it into the bundle, whole or not at all.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn note(&self, bundle: &Path) -> Result<()> {
        let path = bundle.join(FILE);
        let new = bundle.join(".address");
        fs::write(&new, self.url())
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("write {}", path.display()))
    }

    /// What is noted in the bundle, if anything is.
    pub fn noted(bundle: &Path) -> Option<Self> {
        let url = fs::read_to_string(bundle.join(FILE)).ok()?;
        let path = url.strip_prefix("unix://")?.into();
        Some(Self { path })
    }

    /// Whether a shim serves it.
    pub fn is_served(&self) -> bool {
        UnixStream::connect(&self.path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_containerds_own() {
        // sha256 of "/run/containerd/containerd.sock/default/123", as containerd's shim package makes it.
        assert_eq!(
            Address::of("/run/containerd/containerd.sock", "default", "123").url(),
            "unix:///run/containerd/s/0ddfbd72d02b3551e75f3a0ed90b9965b533401be618f43a568bc522764e0ad0"
        );
    }

    #[test]
    fn what_is_noted_in_a_bundle_is_read_back() {
        let bundle = tempfile::tempdir().unwrap();
        assert!(Address::noted(bundle.path()).is_none());
        let address = Address::of("/c", "n", "i");
        address.note(bundle.path()).unwrap();
        assert_eq!(Address::noted(bundle.path()).unwrap().url(), address.url());
    }
}
