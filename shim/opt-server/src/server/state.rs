//! The state directory: one server at a time, root's alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;
use rustix::fs::{FlockOperation, flock};

/// Where it is if nobody says otherwise.
pub const DEFAULT: &str = "/var/lib/opt-server";

/// How long a server before this one may take to be gone. Longer than a process takes from its birth to its
/// execution: as long as one that the old server was just giving birth to holds the lock too, it can't be
/// found by its command line yet.
const PATIENCE: Duration = Duration::from_secs(10);

/// A state directory, locked.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    _lock: File,
}

impl StateDirectory {
    /// Makes or takes over the directory at `path`.
    ///
    /// # Errors
    /// Where it is somebody else's, or another server has it.
    pub fn open(path: &Path) -> Result<Self> {
        make(path).with_context(|| format!("make state directory {}", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| path.display().to_string())?;
        check(&path)?;
        let lock = lock(&path)?;
        for name in ["executions", "configs"] {
            make(&path.join(name)).with_context(|| format!("make {name} in {}", path.display()))?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of the executions' files.
    pub fn executions(&self) -> PathBuf {
        self.path.join("executions")
    }

    /// The directory of the configurations that executions use.
    pub fn configs(&self) -> PathBuf {
        self.path.join("configs")
    }

    /// Free space, in bytes.
    ///
    /// # Errors
    /// Those of statvfs(3).
    pub fn free(&self) -> io::Result<u64> {
        let found = statvfs(&self.path)?;
        Ok(found
            .blocks_available()
            .saturating_mul(found.fragment_size()))
    }
}

/// Makes a directory for nobody else, with what is missing above it.
pub fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(path)
}

/// Refuses a directory that others could have prepared.
fn check(path: &Path) -> Result<()> {
    let found = fs::metadata(path)?;
    if found.uid() != geteuid().as_raw() {
        bail!(
            "state directory {} belongs to uid {}",
            path.display(),
            found.uid()
        );
    }
    if found.mode() & 0o077 != 0 {
        let mode = found.mode() & 0o777;
        bail!(
            "state directory {} is open to others (mode {mode:03o}); hint: chmod 700",
            path.display()
        );
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File> {
    let name = path.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&name)
        .with_context(|| name.display().to_string())?;
    let deadline = Instant::now() + PATIENCE;
    while let Err(errno) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if errno != rustix::io::Errno::WOULDBLOCK {
            return Err(io::Error::from(errno)).context("lock the state directory");
        }
        if Instant::now() > deadline {
            bail!(
                "another opt-server has the state directory {}",
                path.display()
            );
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(file)
}
