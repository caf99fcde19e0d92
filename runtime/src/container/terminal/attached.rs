//! The caller's terminal, connected with a command's for as long as that runs.

use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;
use rustix::event::PollFd;

use super::super::{Error, Result};
use super::caller::CallerTerminal;
use super::keeper::Keeper;
use super::keys::{self, Key};
use super::relay::Relay;

/// How soon a job that is brought to the foreground while it runs takes the terminal: no signal tells it.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Both terminals. The caller's has its modes back when this is dropped, and when this process is killed.
#[derive(Debug)]
pub(in crate::container) struct Attached {
    terminal: CallerTerminal,
    relay: Relay,
    /// Whether the caller's terminal is read and raw: not while this process is in the background.
    is_in_front: bool,
    was_interrupted: bool,
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
        let mut attached = Self {
            relay: Relay::new(terminal.clone(), master).map_err(Error::step(failed))?,
            _keeper: Keeper::begin(&terminal).map_err(Error::step(failed))?,
            terminal,
            is_in_front: false,
            was_interrupted: false,
        };
        attached.relay.resize();
        attached.take_terminal().map_err(Error::step(failed))?;
        Ok(attached)
    }

    /// What to wait for.
    pub(in crate::container) fn waiting(&self) -> Vec<PollFd<'_>> {
        self.relay.waiting()
    }

    /// How long to wait for it at most, before the next turn.
    pub(in crate::container) fn patience(&self) -> Option<Duration> {
        (!self.is_in_front).then_some(LOOK_AGAIN)
    }

    /// Whether somebody has typed the key that interrupts, for a command without job control.
    pub(in crate::container) fn was_interrupted(&self) -> bool {
        self.was_interrupted
    }

    /// Moves what can be moved without waiting.
    pub(in crate::container) fn turn(&mut self) {
        if !self.is_in_front && self.terminal.is_ours() {
            self.resume();
        }
        self.relay.turn();
        match self.relay.take_key() {
            None => {}
            Some(Key {
                signal: Signal::SIGTSTP,
                group,
            }) => self.stop(Some(group), keys::stop_own_group),
            Some(Key { signal, .. }) => {
                self.was_interrupted |= signal == Signal::SIGINT;
                keys::tell_own_group(signal);
            }
        }
    }

    /// Does what `signal` asks of the terminal; `false` where it is for the command.
    pub(in crate::container) fn handle(&mut self, signal: Signal) -> bool {
        match signal {
            Signal::SIGWINCH => self.relay.resize(),
            Signal::SIGTSTP => {
                let group = self.relay.master().and_then(keys::without_job_control);
                self.stop(group, || {
                    let _ = kill(getpid(), Signal::SIGSTOP);
                });
            }
            Signal::SIGCONT => self.resume(),
            _ => return false,
        }
        true
    }

    /// Stops the command's `group` and then this process, by `stop`, as whoever sent the signal wants; the shell gets
    /// its terminal as it was.
    fn stop(&mut self, group: Option<nix::unistd::Pid>, stop: impl FnOnce()) {
        group.inspect(|group| keys::send(*group, Signal::SIGSTOP));
        self.give_back();
        stop();
        self.resume();
        group.inspect(|group| keys::send(*group, Signal::SIGCONT));
    }

    /// Whoever let this process go on has set the terminal's modes for itself in the meantime, and may have left it in
    /// the background.
    fn resume(&mut self) {
        let _ = self.take_terminal();
        self.relay.resize();
    }

    /// Reads the caller's terminal and has it raw, where it is this process's to do so.
    fn take_terminal(&mut self) -> std::io::Result<()> {
        self.is_in_front = self.terminal.is_ours();
        self.relay.listen(self.is_in_front);
        match self.is_in_front {
            true => self.terminal.make_raw(),
            false => Ok(()),
        }
    }

    /// Gives the terminal its modes back, where they were changed. A job in the background would be stopped for that.
    fn give_back(&self) {
        if self.is_in_front {
            // There may be nobody to tell: the terminal is gone.
            let _ = self.terminal.restore();
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.relay.drain();
        self.give_back();
    }
}
