//! The caller's terminal, connected with a command's for as long as that runs.

use std::os::fd::OwnedFd;

use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;
use rustix::event::PollFd;

use super::super::{Error, Result};
use super::caller::CallerTerminal;
use super::keeper::Keeper;
use super::relay::Relay;

/// Both terminals. The caller's has its modes back when this is dropped, and when this process is killed.
#[derive(Debug)]
pub(in crate::container) struct Attached {
    terminal: CallerTerminal,
    relay: Relay,
    _keeper: Keeper,
}

impl Attached {
    /// The signals that it needs besides those that are forwarded anyway: to stop, and to go on.
    pub(in crate::container) const SIGNALS: [Signal; 2] = [Signal::SIGTSTP, Signal::SIGCONT];

    /// Connects `terminal` with the one behind `master`.
    ///
    /// # Errors
    /// Where the caller's terminal can't be set.
    pub(in crate::container) fn begin(terminal: CallerTerminal, master: OwnedFd) -> Result<Self> {
        let failed = "connect the terminal with the command's";
        let attached = Self {
            relay: Relay::new(master).map_err(Error::step(failed))?,
            _keeper: Keeper::begin(&terminal).map_err(Error::step(failed))?,
            terminal,
        };
        attached.resize();
        attached.terminal.make_raw().map_err(Error::step(failed))?;
        Ok(attached)
    }

    /// What to wait for.
    pub(in crate::container) fn waiting(&self) -> Vec<PollFd<'_>> {
        self.relay.waiting()
    }

    /// Moves what can be moved without waiting.
    pub(in crate::container) fn turn(&mut self) {
        self.relay.turn();
    }

    /// Does what `signal` asks of the terminal; `false` where it is for the command.
    pub(in crate::container) fn handle(&mut self, signal: Signal) -> bool {
        match signal {
            Signal::SIGWINCH => self.resize(),
            Signal::SIGTSTP => self.stop(),
            Signal::SIGCONT => self.resume(),
            _ => return false,
        }
        true
    }

    /// A terminal that can't be asked or told has been hung up, which shows elsewhere.
    fn resize(&self) {
        if let Some(master) = self.relay.master() {
            let _ = self.terminal.copy_size(master);
        }
    }

    /// Stops this process, as whoever sent the signal wants; the shell gets its terminal as it was.
    fn stop(&self) {
        let _ = self.terminal.restore();
        let _ = kill(getpid(), Signal::SIGSTOP);
        self.resume();
    }

    /// Whoever let this process go on has set the terminal's modes for itself in the meantime.
    fn resume(&self) {
        let _ = self.terminal.make_raw();
        self.resize();
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.relay.drain();
        // There is nobody to tell: the terminal is gone.
        let _ = self.terminal.restore();
    }
}
