//! A container that a command holds, and the files of its directory.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oci_spec::runtime::Spec;
use rustix::fs::FlockOperation;

use super::lock::{LOCK_FILE, hold};
use crate::container::ownership::StateDirectory;
use crate::container::snapshot::{Snapshot, Status};
use crate::container::whole_file::{PRIVATE, write_new, write_whole};
use crate::container::{Error, Result};
use crate::json;

/// The bundle's spec as `create` read it; the bundle itself may be changed or gone by the time of `exec`.
const SPEC_FILE: &str = "config.json";

/// A container that this command holds the lock of.
#[derive(Debug)]
pub struct Container {
    /// Its directory in the store.
    pub directory: PathBuf,
    /// Its state as last written.
    pub snapshot: Snapshot,
    opened: StateDirectory,
    _lock: File,
}

impl Container {
    /// Locks a claimed directory and writes the spec into it. The state is still to be saved, before anything is made that only
    /// that would tell of.
    pub(in crate::container) fn new(
        opened: StateDirectory,
        snapshot: Snapshot,
        spec: &Spec,
    ) -> Result<Self> {
        let directory = opened.path().to_path_buf();
        // Made here and nowhere else: a look at a container that is being removed must add nothing to it.
        let path = directory.join(LOCK_FILE);
        let lock = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("make", &path))?;
        let lock = hold(&opened, lock, FlockOperation::LockExclusive)?;
        // Before the state: a container that can be seen has its spec.
        write_spec(&directory, spec, write_new)?;
        Ok(Self {
            directory,
            snapshot,
            opened,
            _lock: lock,
        })
    }

    pub(super) fn read(opened: StateDirectory, lock: File) -> Result<Self> {
        Ok(Self {
            directory: opened.path().to_path_buf(),
            snapshot: Snapshot::read(&opened)?,
            opened,
            _lock: lock,
        })
    }

    /// Lets go of the lock; what is known of the container stays.
    pub(crate) fn unlock(self) -> Snapshot {
        self.snapshot
    }

    /// Writes the state whole or not at all.
    pub(crate) fn save(&self) -> Result<()> {
        self.snapshot.write(&self.directory)
    }

    /// The status now.
    pub fn status(&self) -> Status {
        self.snapshot.status()
    }

    /// How long its late hooks may take all together, where that is limited.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.opened.patience()
    }

    /// The spec that it was created from, as [`Store::spec`] gives it.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn spec(&self) -> Result<Spec> {
        read_spec(&self.opened)
    }

    /// Takes on a spec that the container is completed to. The state is still to be saved.
    pub(in crate::container) fn complete(&mut self, mut spec: Spec) -> Result<()> {
        write_spec(&self.directory, &spec, write_whole)?;
        self.snapshot.annotations = spec.annotations_mut().take().unwrap_or_default();
        Ok(())
    }

    /// Refuses what needs another status; `wanted` is how errors call it.
    ///
    /// # Errors
    /// [`Error::WrongStatus`].
    pub(crate) fn must_be(&self, needed: Status, wanted: &'static str) -> Result<()> {
        let status = self.status();
        if status == needed {
            return Ok(());
        }
        Err(Error::WrongStatus {
            id: self.snapshot.id.clone(),
            wanted,
            status,
        })
    }

    /// The container's id.
    pub fn id(&self) -> &str {
        &self.snapshot.id
    }

    /// The socket on which the created process waits for `start`.
    pub(crate) fn notify_socket(&self) -> PathBuf {
        self.directory.join("notify.sock")
    }

    /// The pipe through which it says why it could not execute the command.
    pub(crate) fn failures(&self) -> PathBuf {
        self.directory.join("failures")
    }
}

fn write_spec(
    directory: &Path,
    spec: &Spec,
    write: fn(&Path, u32, &[u8]) -> io::Result<()>,
) -> Result<()> {
    let path = directory.join(SPEC_FILE);
    let text = json::text_of(spec).map_err(|error| Error::io("write", &path)(error.into()))?;
    write(&path, PRIVATE, &text).map_err(Error::io("write", &path))
}

pub(super) fn read_spec(directory: &StateDirectory) -> Result<Spec> {
    json::parse(&directory.read(SPEC_FILE)?).map_err(|fault| Error::Config {
        path: directory.path().join(SPEC_FILE),
        reason: fault.to_string(),
    })
}
