//! A user namespace that exists only as the id mapping of a mount.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{getpid, getppid};

use super::fork_child;

/// Makes a user namespace with these `uid_map` and `gid_map` texts (user_namespaces(7)).
///
/// # Errors
/// Where the namespace can't be made or the kernel refuses a map.
pub(crate) fn user_namespace(uid_map: &str, gid_map: &str) -> io::Result<OwnedFd> {
    // The child only holds the namespace until it is open here: it stops itself and is then killed.
    let own = getpid();
    let child = fork_child(|| {
        let hold = || {
            unshare(CloneFlags::CLONE_NEWUSER)?;
            // If this process is killed meanwhile, nobody else would end it, and all that it has open stays open.
            set_pdeathsig(Signal::SIGKILL)?;
            if getppid() != own {
                return Err(Errno::ESRCH);
            }
            raise(Signal::SIGSTOP)
        };
        match hold() {
            Ok(()) => 0,
            Err(errno) => errno as i32,
        }
    })?;
    let namespace = match waitpid(child, Some(WaitPidFlag::WUNTRACED))? {
        WaitStatus::Stopped(..) => map_and_open(child.as_raw(), uid_map, gid_map),
        WaitStatus::Exited(_, errno @ 1..) => {
            let error = io::Error::from_raw_os_error(errno);
            let text = format!("user namespaces can't be made here: {error}");
            return Err(io::Error::new(error.kind(), text));
        }
        _ => return Err(io::Error::other("user namespaces can't be made here")),
    };
    kill(child, Signal::SIGKILL)?;
    waitpid(child, None)?;
    namespace
}

fn map_and_open(pid: i32, uid_map: &str, gid_map: &str) -> io::Result<OwnedFd> {
    std::fs::write(format!("/proc/{pid}/uid_map"), uid_map)?;
    std::fs::write(format!("/proc/{pid}/gid_map"), gid_map)?;
    Ok(File::open(format!("/proc/{pid}/ns/user"))?.into())
}
