//! The guardian's work while its worker lives.

use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::kill;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;
use rustix::process::{PidfdFlags, pidfd_open};

use super::super::supervise::Signals;
use super::super::terminal::{Attached, CallerTerminal};
use super::hold::DONE;
use crate::passing;
use crate::telling;

/// How the worker ended.
pub(super) enum Ended {
    /// With this code. Whether the caller has typed the key that interrupts.
    Exited { code: i32, was_interrupted: bool },
    /// By this signal; it is to be waited for.
    Killed(i32),
}

/// Passes signals on, and what goes between two terminals, until the worker ends.
pub(super) fn guard(worker: Pid, signals: &mut Signals, socket: &OwnedFd) -> Ended {
    let process = rustix::process::Pid::from_raw(worker.as_raw())
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let Some(process) = process else {
        return Ended::Killed(libc::SIGKILL);
    };
    let mut terminal: Option<Attached> = None;
    let mut was_interrupted = false;
    // Its end stays to be read when the worker has closed the other one on its way out.
    let mut socket = Some(socket);
    loop {
        let is_asked = wait_for_news(&process, signals, socket, terminal.as_ref());
        while let Ok(Some(signal)) = signals.next() {
            let terminal = terminal.as_mut();
            if !terminal.is_some_and(|terminal| terminal.handle(signal)) {
                let _ = kill(worker, signal);
            }
        }
        if let Some(terminal) = &mut terminal {
            terminal.turn();
            was_interrupted |= terminal.was_interrupted();
        }
        if let Some(open) = socket.filter(|_| is_asked)
            && !answer(open, signals, &mut terminal)
        {
            socket = None;
        }
        let options = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(worker), options) {
            Ok(WaitStatus::StillAlive) => {}
            Ok(WaitStatus::Exited(_, code)) => {
                let _ = waitpid(worker, None);
                return Ended::Exited {
                    code,
                    was_interrupted,
                };
            }
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ended::Killed(signal as i32),
            _ => return Ended::Killed(libc::SIGKILL),
        }
    }
}

/// Waits until there is something to do; whether the worker asks something.
fn wait_for_news(
    worker: &OwnedFd,
    signals: &Signals,
    socket: Option<&OwnedFd>,
    terminal: Option<&Attached>,
) -> bool {
    let mut waiting = vec![
        PollFd::new(worker, PollFlags::IN),
        PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
    ];
    waiting.extend(terminal.map(Attached::waiting).unwrap_or_default());
    waiting.extend(socket.map(|socket| PollFd::new(socket, PollFlags::IN)));
    let patience = terminal.and_then(Attached::patience);
    let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
    let _ = poll(&mut waiting, patience.as_ref());
    let last = waiting.last().filter(|_| socket.is_some());
    last.is_some_and(|socket| socket.revents().contains(PollFlags::IN))
}

/// Does what the worker asks, and tells it so; whether it may ask more.
fn answer(socket: &OwnedFd, signals: &mut Signals, terminal: &mut Option<Attached>) -> bool {
    let mut what = [0; 16];
    let received = passing::receive(socket, &mut what, RecvFlags::DONTWAIT);
    let Ok((1.., master)) = received else {
        return received.is_err();
    };
    let attached = match (master, CallerTerminal::find()) {
        (Some(master), Some(callers)) => signals
            .add(&Attached::SIGNALS)
            .and_then(|()| Attached::begin(callers, master))
            .map(Some),
        // To detach; where the caller's terminal is gone, there is nothing to attach to.
        _ => Ok(None),
    };
    let text = match attached {
        Ok(attached) => {
            *terminal = attached;
            DONE.to_vec()
        }
        Err(error) => telling::line(&error).into_bytes(),
    };
    // A worker that is gone shows elsewhere.
    let _ = passing::send(socket, &text, None);
    true
}
