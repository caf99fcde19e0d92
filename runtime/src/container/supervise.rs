//! Holding a container in the foreground: signals go in, the exit status comes out.
//!
//! Signals are blocked before the container is made and read from a descriptor, and its end is read from
//! a pidfd: there is no moment at which either could be missed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

use super::cgroup::Remembered;
use super::guardian::Guardian;
use super::init;
use super::process::{ProcessId, is_in_masks};
use super::terminal::Attached;
use super::watch::{Order, Watch};
use super::{Error, Result};
use crate::kernel_file;
use crate::sys::{FAULTS, OWN};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Exited(u8),
    Signalled(i32),
}

/// All that is forwarded, blocked and readable; the old mask comes back when this is dropped.
#[derive(Debug)]
pub(super) struct Signals {
    descriptor: SignalFd,
    mask: SigSet,
    old: SigSet,
}

impl Signals {
    /// Blocks the signals; call before anything is made that a signal should end.
    pub(super) fn block() -> Result<Self> {
        let mut mask = SigSet::all();
        for signal in OWN.into_iter().chain(FAULTS) {
            mask.remove(signal);
        }
        let mut old = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&mask), Some(&mut old))
            .map_err(Error::step("block signals"))?;
        let descriptor =
            SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
                .map_err(Error::step("open a descriptor for signals"))?;
        Ok(Self {
            descriptor,
            mask,
            old,
        })
    }

    /// Takes more signals in.
    pub(super) fn add(&mut self, more: &[Signal]) -> Result<()> {
        self.mask.extend(more.iter().copied());
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&self.mask), None)
            .map_err(Error::step("block signals"))?;
        self.descriptor
            .set_mask(&self.mask)
            .map_err(Error::step("open a descriptor for signals"))
    }

    /// The next signal that has come, if any.
    pub(super) fn next(&self) -> Result<Option<Signal>> {
        let info = self
            .descriptor
            .read_signal()
            .map_err(Error::step("read a signal"))?;
        Ok(info.and_then(|info| Signal::try_from(info.ssi_signo.cast_signed()).ok()))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // What came too late to be forwarded must not end us with the work done.
        while let Ok(Some(_)) = self.next() {}
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.old), None);
    }
}

/// What holds a command in the foreground besides its own process.
#[derive(Debug)]
pub(super) struct Hold<'a> {
    pub signals: &'a Signals,
    /// The process whose end would leave the command without anybody to end it; absent where the kernel
    /// sees to that.
    pub guardian: Option<&'a Guardian>,
    /// The caller's terminal, where this process is the one that connects it with the command's.
    pub terminal: Option<&'a mut Attached>,
    /// What the command is held to.
    pub watch: Option<Watch<'a>>,
    /// What its cgroup may not tell any more when it has ended.
    pub memory: Option<Remembered>,
}

/// A running command.
#[derive(Debug)]
pub(super) struct Supervised {
    process: ProcessId,
    descriptor: OwnedFd,
    /// Whether the process is the first of its pid namespace and the command itself.
    is_first: bool,
    /// The signal whose default action we carried out for the kernel.
    ended_by: Option<Signal>,
}

impl Supervised {
    /// Takes hold of a child; before it is started, so that its end can't be missed. `is_first`: no
    /// process of ours stands between it and the kernel's rules for the first of a pid namespace.
    pub(super) fn new(process: ProcessId, is_first: bool) -> Result<Self> {
        let pid = Pid::from_raw(process.pid)
            .ok_or_else(|| std::io::Error::from_raw_os_error(libc::ESRCH))
            .map_err(Error::step("open the command's process"))?;
        let descriptor = pidfd_open(pid, PidfdFlags::empty())
            .map_err(Error::step("open the command's process"))?;
        Ok(Self {
            process,
            descriptor,
            is_first,
            ended_by: None,
        })
    }

    /// Forwards signals until the command ends; ends it where the guardian was killed.
    pub(super) fn wait(mut self, hold: &mut Hold<'_>) -> Result<End> {
        loop {
            if self.wait_for_news(hold)? {
                hold.watch.iter_mut().for_each(Watch::note_killed);
                self.send(libc::SIGKILL);
            }
            while let Some(signal) = hold.signals.next()? {
                let terminal = hold.terminal.as_deref_mut();
                if !terminal.is_some_and(|terminal| terminal.handle(signal)) {
                    hold.watch
                        .iter_mut()
                        .for_each(|watch| watch.note_signal(signal));
                    self.forward(signal);
                }
            }
            match hold.watch.as_mut().and_then(Watch::turn) {
                Some(Order::Ask) => self.send(libc::SIGTERM),
                Some(Order::Kill) => self.send(libc::SIGKILL),
                None => {}
            }
            hold.memory.iter_mut().for_each(Remembered::look);
            if let Some(terminal) = hold.terminal.as_deref_mut() {
                terminal.turn();
            }
            if let Some(end) = self.ended()? {
                return Ok(end);
            }
        }
    }

    /// Waits until there is something to do; whether the guardian was killed.
    fn wait_for_news(&self, hold: &Hold<'_>) -> Result<bool> {
        let mut waiting = vec![
            PollFd::new(&self.descriptor, PollFlags::IN),
            PollFd::from_borrowed_fd(hold.signals.as_fd(), PollFlags::IN),
        ];
        waiting.extend(hold.guardian.map(Guardian::as_poll_fd));
        let terminal = hold.terminal.as_deref();
        waiting.extend(terminal.map(Attached::waiting).unwrap_or_default());
        let watch = hold.watch.as_ref();
        waiting.extend(watch.map(Watch::waiting).unwrap_or_default());
        let memory = hold.memory.as_ref();
        waiting.extend(memory.map(|memory| PollFd::new(memory, PollFlags::IN)));
        let of_terminal = terminal.and_then(Attached::patience);
        let patience = watch.and_then(Watch::patience).into_iter();
        let patience = patience.chain(of_terminal).min();
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        match poll(&mut waiting, patience.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::step("wait for the command")(errno)),
        }
        let guardian = waiting.get(2).filter(|_| hold.guardian.is_some());
        Ok(guardian.is_some_and(|guardian| !guardian.revents().is_empty()))
    }

    fn ended(&self) -> Result<Option<End>> {
        let ask = |options| {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | options;
            waitid(WaitId::PidFd(self.descriptor.as_fd()), options)
                .map_err(Error::step("wait for the command"))
        };
        // Not reaped before the first process's last word is read.
        if ask(WaitIdOptions::NOWAIT)?.is_none() {
            return Ok(None);
        }
        let signal_of_command = (!self.is_first)
            .then(|| init::signal_of_command(self.process.pid))
            .flatten();
        let Some(status) = ask(WaitIdOptions::empty())? else {
            return Ok(None);
        };
        if let Some(code) = status.exit_status() {
            let code = u8::try_from(code & 0xff).unwrap_or(u8::MAX);
            return Ok(Some(match signal_of_command {
                Some(signal) if i32::from(code) == 128 + signal => End::Signalled(signal),
                _ => End::Exited(code),
            }));
        }
        let signal = status.terminating_signal().unwrap_or(libc::SIGKILL);
        Ok(Some(End::Signalled(match self.ended_by {
            Some(asked) if signal == libc::SIGKILL => asked as i32,
            _ => signal,
        })))
    }

    /// The kernel drops a signal that the first process of a pid namespace neither catches nor ignores;
    /// for the user that would be a Ctrl-C without effect. So its default action is carried out here.
    fn forward(&mut self, signal: Signal) {
        self.send(signal as i32);
        if self.is_first && ends_by_default(signal) && self.would_be_dropped(signal) {
            self.ended_by.get_or_insert(signal);
            self.send(libc::SIGKILL);
        }
    }

    fn send(&self, signal: i32) {
        if let Some(signal) = rustix::process::Signal::from_named_raw(signal) {
            // A process that is gone shows in the next look at its end.
            let _ = pidfd_send_signal(&self.descriptor, signal);
        }
    }

    /// Whether the command neither catches, ignores nor blocks `signal`.
    fn would_be_dropped(&self, signal: Signal) -> bool {
        let path = format!("/proc/{}/status", self.process.pid);
        let Ok(text) = kernel_file::read(path) else {
            return false;
        };
        let masks = ["SigBlk:", "SigIgn:", "SigCgt:"];
        is_in_masks(&text, &masks, signal as i32) == Some(false)
    }
}

/// Whether the default action of signal(7) is to end the process.
pub(super) fn ends_by_default(signal: Signal) -> bool {
    !matches!(signal, Signal::SIGWINCH | Signal::SIGSTOP) && !OWN.contains(&signal)
}
