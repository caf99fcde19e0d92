//! A process that does nothing until its maker is gone, and then gives the caller's terminal its modes back:
//! one that is killed can't do so itself, and would leave a terminal that shows nothing of what is typed.

use std::io;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, getpid, pidfd_open, setsid};

use super::caller::CallerTerminal;
use crate::sys::{close_descriptors_except, forget_arguments_and_environment, fork_child};

/// The process; ended where this is dropped.
#[derive(Debug)]
pub(super) struct Keeper(Pid);

impl Keeper {
    /// Makes it, for `terminal` and the calling process.
    ///
    /// # Errors
    /// Those of fork(2) and pidfd_open(2).
    pub(super) fn begin(terminal: &CallerTerminal) -> io::Result<Self> {
        let maker = pidfd_open(getpid(), PidfdFlags::empty())?;
        let keeper = fork_child(|| match keep(terminal, &maker) {
            Ok(()) => 0,
            Err(_) => 1,
        })?;
        Ok(Self(keeper))
    }
}

fn keep(terminal: &CallerTerminal, maker: &std::os::fd::OwnedFd) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    // A session of its own: no key ends it, and the terminal may be set from outside of its own session.
    setsid()?;
    forget_arguments_and_environment()?;
    close_descriptors_except(&mut [terminal.number(), maker.as_raw_fd()])?;
    let mut waiting = [PollFd::new(maker, PollFlags::IN)];
    while waiting[0].revents().is_empty() {
        let _ = poll(&mut waiting, None);
    }
    terminal.restore_if_raw()
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // It is a child of this process, and its pid its own until it is waited for.
        let _ = kill(self.0, Signal::SIGKILL);
        let _ = waitpid(self.0, None);
    }
}
