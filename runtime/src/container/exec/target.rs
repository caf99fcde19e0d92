//! The container that a process is to join, held by descriptors: nothing is looked up by a pid twice.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{chroot, fchdir};

use super::super::id_maps::may_set_groups;
use super::super::process::{self, ProcessId, is_alive, is_foreign};
use super::super::snapshot::Snapshot;
use super::super::{Error, Result, namespaces};

/// What is joined.
#[derive(Debug)]
pub(super) struct Target {
    process: OwnedFd,
    root: OwnedFd,
    namespaces: CloneFlags,
    /// Whether its user namespace lets groups be set (user_namespaces(7)).
    pub may_set_groups: bool,
}

impl Target {
    /// Takes hold of the container's first process, its root, and the namespaces in which it isn't with us.
    ///
    /// # Errors
    /// Where the process is gone, or of another pid namespace, or may not be looked at.
    pub(super) fn open(container: &Snapshot) -> Result<Self> {
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let failed = Error::step("open the container's first process");
        let Some(first) = container.process else {
            return Err(failed(gone()));
        };
        if is_foreign(first) {
            return Err(Error::OtherNamespace(container.id.clone()));
        }
        let process = process::open(first).map_err(failed)?;
        let target = Self {
            process,
            root: open_root(first)?,
            namespaces: namespaces::unlike_ours(first.pid)?,
            may_set_groups: may_set_groups(first.pid)?,
        };
        // What was read by its pid was its own only if it is still there.
        if !is_alive(first) {
            return Err(Error::step("open the container's first process")(gone()));
        }
        Ok(target)
    }

    /// The descriptors that [`Self::join`] needs.
    pub(super) fn descriptors(&self) -> [i32; 2] {
        [self.process.as_raw_fd(), self.root.as_raw_fd()]
    }

    /// Whether the container has another user namespace than this process.
    pub(super) fn has_user_namespace(&self) -> bool {
        self.namespaces.contains(CloneFlags::CLONE_NEWUSER)
    }

    /// Joins all its namespaces at once and takes its root for `/`.
    ///
    /// At once: the kernel then judges each with the rights that the caller has outside, and a failure
    /// leaves it where it was. The pid namespace holds for children only.
    ///
    /// # Errors
    /// Those of setns(2) and chroot(2).
    pub(super) fn join(&self) -> io::Result<()> {
        if !self.namespaces.is_empty() {
            setns(&self.process, self.namespaces)?;
        }
        // The root of the mount namespace may be the host's, where a container has no mount namespace of
        // its own; that of the process never is.
        fchdir(&self.root)?;
        chroot(".")?;
        std::env::set_current_dir("/")
    }
}

fn open_root(first: ProcessId) -> Result<OwnedFd> {
    let path = PathBuf::from(format!("/proc/{}/root", first.pid));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(&path, flags, Mode::empty()).map_err(|errno| Error::io("open", path)(errno.into()))
}
