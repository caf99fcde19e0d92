//! Going into another mount namespace and coming back as before.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, setns};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::chroot;

use super::{Error, Result};

/// Where the process was: setns(2) into a mount namespace also changes root and working directory.
#[derive(Debug)]
pub(super) struct WayBack {
    namespace: File,
    root: OwnedFd,
    working_directory: OwnedFd,
}

impl WayBack {
    /// Remembers where the process is.
    pub(super) fn here() -> Result<Self> {
        let path = "/proc/self/ns/mnt";
        let directory = |path: &str| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            open(path, flags, Mode::empty()).map_err(|errno| Error::io("open", path)(errno.into()))
        };
        Ok(Self {
            namespace: File::open(path).map_err(Error::io("open", path))?,
            root: directory("/")?,
            working_directory: directory(".")?,
        })
    }

    /// Goes back there.
    pub(super) fn go(self) -> Result<()> {
        let back = || -> std::io::Result<()> {
            setns(&self.namespace, CloneFlags::CLONE_NEWNS)?;
            rustix::process::fchdir(self.root.as_fd())?;
            chroot(".")?;
            rustix::process::fchdir(self.working_directory.as_fd())?;
            Ok(())
        };
        back().map_err(Error::step("return to the runtime's own mount namespace"))
    }
}
