//! The worker's hold on its guardian.

use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::kill;
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags};
use rustix::net::RecvFlags;

use crate::container::{Error, Result};
use crate::passing;
use crate::sys::WAKING;

/// The worker's hold on its guardian.
#[derive(Debug)]
pub(in crate::container) struct Guardian {
    process: Pid,
    socket: OwnedFd,
}

/// What the worker asks of the guardian, which answers with nothing or with what went wrong.
const ATTACH: &[u8] = b"attach";
const DETACH: &[u8] = b"detach";
pub(super) const DONE: &[u8] = b"done";

impl Guardian {
    /// The guardian `process`, whose the other end of `socket` is, and nobody else's.
    pub(super) fn new(process: Pid, socket: OwnedFd) -> Self {
        Self { process, socket }
    }

    /// Its end can be polled: nobody holds the other end of the socket then.
    pub(in crate::container) fn as_poll_fd(&self) -> PollFd<'_> {
        PollFd::new(&self.socket, PollFlags::HUP)
    }

    /// Has the guardian connect the caller's terminal with the one behind `master`. The guardian, for only
    /// that one is in the terminal's reach.
    ///
    /// # Errors
    /// What went wrong there.
    pub(in crate::container) fn attach(&self, master: &OwnedFd) -> Result<()> {
        self.ask(ATTACH, Some(master))
    }

    /// Has the guardian give the caller's terminal back, when all that the command printed is there.
    ///
    /// # Errors
    /// Where the guardian is gone.
    pub(in crate::container) fn detach(&self) -> Result<()> {
        self.ask(DETACH, None)
    }

    fn ask(&self, what: &[u8], master: Option<&OwnedFd>) -> Result<()> {
        let failed = "ask the first process of this run";
        passing::send(&self.socket, what, master.map(AsFd::as_fd)).map_err(Error::step(failed))?;
        // One that is gone doesn't answer either.
        let _ = kill(self.process, WAKING);
        let mut answer = [0; 1024];
        let (length, _) = passing::receive(&self.socket, &mut answer, RecvFlags::empty())
            .map_err(Error::step(failed))?;
        match answer.get(..length) {
            Some(DONE) => Ok(()),
            Some([]) | None => Err(Error::step(failed)(std::io::Error::from_raw_os_error(
                libc::ESRCH,
            ))),
            Some(reason) => Err(Error::Exec(String::from_utf8_lossy(reason).into_owned())),
        }
    }
}
