//! A process that belongs to nobody.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::wait::{WaitStatus, waitpid};
use runtime::sys::{close_descriptors_except, fork_child};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::setsid;

/// Forks a process that isn't the caller's child and that nobody has to wait for.
pub(crate) fn fork_detached(body: impl FnOnce() -> i32) -> io::Result<()> {
    let between = fork_child(|| i32::from(fork_child(body).is_err()))?;
    match waitpid(between, None)? {
        WaitStatus::Exited(_, 0) => Ok(()),
        _ => Err(io::Error::other("its second fork failed")),
    }
}

/// Leaves the starter's session, terminal and files, but for those in `kept`: locks are among them, which are the
/// starter's.
///
/// # Errors
/// Those of setsid(2), close_range(2) and open(2).
pub(crate) fn leave_the_starter(kept: &[&OwnedFd]) -> io::Result<()> {
    setsid()?;
    let kept = kept.iter().map(|descriptor| descriptor.as_raw_fd());
    let mut kept: Vec<_> = (0..3).chain(kept).collect();
    close_descriptors_except(&mut kept)?;
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
