//! Keys that mean the caller's own shell as well.
//!
//! A command that has a terminal of its own is in a session of its own, in which nobody could let it go on once it had
//! stopped: the kernel drops the key that stops. And a script of the caller's would never hear that it was
//! interrupted. So where nothing inside has job control, these keys do what they do before the caller's terminal.

use std::os::fd::OwnedFd;

use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::unistd::Pid;
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetattr, tcgetpgrp, tcgetsid};

use super::super::process::has_own_action;

/// What the keys mean, tty_ioctl(4).
const KEYS: [(SpecialCodeIndex, Signal); 3] = [
    (SpecialCodeIndex::VSUSP, Signal::SIGTSTP),
    (SpecialCodeIndex::VINTR, Signal::SIGINT),
    (SpecialCodeIndex::VQUIT, Signal::SIGQUIT),
];

/// A key that was typed, and the process group that it is for inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub signal: Signal,
    pub group: Pid,
}

impl Key {
    /// The first such key in `typed`, where the command behind `master` has no job control. The one that stops is
    /// taken out: the terminal can't do what it means. The others the terminal gets, too.
    pub(super) fn find(master: &OwnedFd, typed: &mut Vec<u8>) -> Option<Self> {
        let modes = tcgetattr(master).ok()?;
        if !modes.local_modes.contains(LocalModes::ISIG) {
            return None;
        }
        let means = |byte: u8| {
            let of = |(code, signal)| (modes.special_codes[code] == byte).then_some(signal);
            // A terminal without such a key has 0 in its place.
            KEYS.into_iter().find_map(of).filter(|_| byte != 0)
        };
        let found = |(at, byte): (usize, &u8)| means(*byte).map(|signal| (at, signal));
        let (at, signal) = typed.iter().enumerate().find_map(found)?;
        let group = without_job_control(master)?;
        if signal == Signal::SIGTSTP {
            typed.remove(at);
        }
        Some(Self { signal, group })
    }
}

/// The process group in the foreground of the terminal behind `master`, where that is the one of the session's leader,
/// which isn't a shell with job control: such a one ignores the signal to stop, or handles it.
pub(super) fn without_job_control(master: &OwnedFd) -> Option<Pid> {
    let group = tcgetpgrp(master).ok()?;
    if tcgetsid(master).ok()? != group {
        return None;
    }
    let leader = group.as_raw_nonzero().get();
    let has_own = has_own_action(leader, Signal::SIGTSTP as i32)?;
    (!has_own).then(|| Pid::from_raw(leader))
}

/// Stops the processes of `group`, or lets them go on. Those that are gone need neither.
pub(super) fn send(group: Pid, signal: Signal) {
    let _ = killpg(group, signal);
}

/// Does to this process's group what the key does that stops: with all others of the caller's job. Comes back when
/// somebody has let it go on; at once where nobody could.
pub(super) fn stop_own_group() {
    let mut stops = SigSet::empty();
    stops.add(Signal::SIGTSTP);
    let _ = kill(Pid::from_raw(0), Signal::SIGTSTP);
    // It has waited for that.
    let _ = stops.thread_unblock();
    let _ = stops.thread_block();
}

/// Tells the others of this process's group of `signal`, which this one has blocked and doesn't pass on: the command
/// has it from its terminal.
pub(super) fn tell_own_group(signal: Signal) {
    let mut told = SigSet::empty();
    told.add(signal);
    if kill(Pid::from_raw(0), signal).is_ok() {
        let _ = told.wait();
    }
}
