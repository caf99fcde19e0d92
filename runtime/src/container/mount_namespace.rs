//! Work in another mount namespace.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, setns};
use nix::sys::wait::waitpid;
use nix::unistd::{Gid, Uid, geteuid, setresgid, setresuid};
use rustix::fs::{Mode, OFlags, open};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, chroot, pidfd_open};

use super::{Error, Result, namespaces};
use crate::enter_mount_namespace;
use crate::sys::fork_child;
use crate::telling;

/// The namespaces in which a container's mounts can be changed without being root.
const WITH_MOUNTS: CloneFlags = CloneFlags::CLONE_NEWUSER.union(CloneFlags::CLONE_NEWNS);

/// Does `body` in the mount namespace of the process `pid`, whose root is then `/`.
///
/// Root goes there and comes back. Anybody else needs the user namespace as well, from which there is no
/// way back, so a child goes.
///
/// # Errors
/// Where the namespace can't be entered; those of `body`.
pub(super) fn inside(pid: i32, body: impl FnOnce() -> Result<()>) -> Result<()> {
    if !geteuid().is_root() {
        return in_child(pid, WITH_MOUNTS, body);
    }
    Entrance::of(pid)?.inside(body)
}

/// The way into the mount namespace of a process, and back, which root can go.
#[derive(Debug)]
pub(super) struct Entrance {
    pid: i32,
    /// None where the process has none of its own.
    theirs: Option<File>,
    way_back: WayBack,
}

impl Entrance {
    /// That of the process `pid`, for this one where it is now.
    ///
    /// # Errors
    /// Where the process can't be looked at.
    pub(super) fn of(pid: i32) -> Result<Self> {
        let way_back = WayBack::here()?;
        let theirs = match namespaces::is_ours(pid, "mnt")? {
            true => None,
            false => {
                let path = format!("/proc/{pid}/ns/mnt");
                Some(File::open(&path).map_err(Error::io("open", &path))?)
            }
        };
        Ok(Self {
            pid,
            theirs,
            way_back,
        })
    }

    /// Does `body` there, as [`inside`].
    ///
    /// # Errors
    /// As those.
    pub(super) fn inside(self, body: impl FnOnce() -> Result<()>) -> Result<()> {
        match &self.theirs {
            None => enter_root(self.pid)?,
            Some(theirs) => enter_mount_namespace(theirs)
                .map_err(Error::step("enter the container's mount namespace"))?,
        }
        let outcome = body();
        self.way_back.go()?;
        outcome
    }
}

/// A process without a mount namespace of its own has its root from chroot(2); paths from ours are the host's.
fn enter_root(pid: i32) -> Result<()> {
    let path = format!("/proc/{pid}/root");
    chroot(path.as_str()).map_err(|errno| Error::io("enter", path)(errno.into()))
}

/// Does `body` as [`inside`] does, and as the root of the container's user namespace, if it has one of its own
/// and a root in it.
///
/// # Errors
/// As those.
pub(super) fn as_its_root(pid: i32, body: impl FnOnce() -> Result<()>) -> Result<()> {
    if namespaces::is_ours(pid, "user")? {
        return inside(pid, body);
    }
    in_child(pid, WITH_MOUNTS, || {
        become_root();
        body()
    })
}

/// Becomes the root of a user namespace that was entered. Where it has none, the privileges over it must do.
pub(super) fn become_root() {
    let root = Gid::from_raw(0);
    let _ = setresgid(root, root, root);
    let root = Uid::from_raw(0);
    let _ = setresuid(root, root, root);
}

/// Does `body` in a child of this process, which is in these namespaces of the process `pid`.
///
/// # Errors
/// As [`inside`].
pub(super) fn in_child(
    pid: i32,
    namespaces: CloneFlags,
    body: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let failed = Error::step("enter the container's namespaces");
    let gone = || std::io::Error::from_raw_os_error(libc::ESRCH);
    let process = Pid::from_raw(pid)
        .ok_or_else(gone)
        .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?))
        .map_err(failed)?;
    let (reader, writer) =
        pipe_with(PipeFlags::CLOEXEC).map_err(Error::step("make a pipe for failures"))?;
    let child = fork_child(|| {
        let done = setns(&process, namespaces)
            .map_err(Error::step("enter the container's namespaces"))
            .and_then(|()| body());
        match done {
            Ok(()) => 0,
            Err(error) => {
                // Longer than a pipe holds is told in part; that it failed is told by the code.
                let _ = rustix::io::write(&writer, telling::line(&error).as_bytes());
                1
            }
        }
    })
    .map_err(Error::step("make a process for the container's namespaces"))?;
    drop(writer);
    let mut said = String::new();
    let read = File::from(reader).read_to_string(&mut said);
    let status = waitpid(child, None).map_err(Error::step("wait for that process"))?;
    read.map_err(Error::step("hear from that process"))?;
    match status {
        nix::sys::wait::WaitStatus::Exited(_, 0) => Ok(()),
        _ => Err(Error::Libcontainer(said)),
    }
}

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
            enter_mount_namespace(&self.namespace)?;
            rustix::process::fchdir(self.root.as_fd())?;
            chroot(".")?;
            rustix::process::fchdir(self.working_directory.as_fd())?;
            Ok(())
        };
        back().map_err(Error::step("return to the runtime's own mount namespace"))
    }
}
