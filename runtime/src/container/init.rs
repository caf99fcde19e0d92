//! The first process of the pid namespace of an Opt-Server command, or of a Shifter container.
//!
//! For the first process the kernel drops signals that have their default action, so abort(3) would be
//! told as a fault and a command could not end itself by SIGTERM; and it would have to reap orphans. So
//! this process, which is the runtime's, stays the first, and the command is its child.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::{
    DumpableBehavior, getpid, ioctl_tiocsctty, set_child_subreaper, set_dumpable_behavior, setsid,
};
use rustix::stdio::stdin;

use crate::kernel_file;
use crate::sys::{
    close_all_descriptors, exit_at_once, forget_arguments_and_environment, fork_child,
    leave_terminal, run_in_own_memory,
};
use crate::telling;

/// How the first process and the command's part ways.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    /// Whether the command gets the terminal at standard input, in a session of its own: keys must reach it and what it
    /// starts, and not the first process, which would pass a signal on once more.
    pub has_terminal: bool,
    /// Whether the pid namespace has another first process, which tasks share; this one is the first of its own container
    /// only.
    pub is_among_others: bool,
    /// Whether the command is executed at once, and nothing is waited for before.
    pub is_short: bool,
}

/// Splits the process: the child does `execute`, and ends with its value where no command was executed. The parent stays as
/// the first process until the child ends, and ends with its code, or 128 plus the signal that ended it.
///
/// # Errors
/// Where the split fails; there is one process then. It comes back only for that.
pub(super) fn split(how: Split, execute: impl FnOnce() -> i32) -> io::Result<Infallible> {
    let Split {
        has_terminal,
        is_among_others,
        is_short,
    } = how;
    if has_terminal {
        // While no signal is blocked: the hang-up that comes of it must go to nobody.
        leave_terminal(stdin())?;
    }
    if is_among_others {
        // What the command leaves behind would go to the first process of their pid namespace.
        set_child_subreaper(Some(getpid()))?;
    }
    // The command must not run beside a process that it could look into.
    hide()?;
    // Blocked before there is a child, so that neither its end nor a signal for it is missed.
    let mut old = SigSet::empty();
    sigprocmask(
        SigmaskHow::SIG_SETMASK,
        Some(&SigSet::all()),
        Some(&mut old),
    )?;
    let leave = || -> io::Result<()> {
        if has_terminal {
            setsid()?;
            ioctl_tiocsctty(stdin())?;
        }
        Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&old), None)?)
    };
    let mut execute = Some(execute);
    let mut as_child = || match (leave(), execute.take()) {
        (Ok(()), Some(execute)) => execute(),
        _ => telling::OURS.into(),
    };
    // A first process that waits for its child neither reaps nor passes signals on.
    let borrowing = is_short.then(|| run_in_own_memory(&mut as_child));
    let child = match borrowing {
        Some(Ok(child)) => child,
        // Some profiles refuse it.
        Some(Err(_)) | None => fork_child(as_child)?,
    };
    let code = close_all_descriptors().and_then(|()| reap(child));
    exit_at_once(code.unwrap_or(telling::OURS.into()));
}

/// Nothing of the runtime's is left for the command to see: no memory or files (ptrace(2) access is denied
/// to what isn't dumpable), no host paths in the command line. For both processes of the split: execve(2) gives the
/// command's another memory and another name.
fn hide() -> io::Result<()> {
    forget_arguments_and_environment()?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(rustix::thread::set_name(c"init")?)
}

/// Passes signals on and reaps, until the command ends: its code.
///
/// Real-time signals stay blocked and pending: there is no name for them here, and no use.
fn reap(command: Pid) -> io::Result<i32> {
    let signals: SigSet = Signal::iterator().collect();
    loop {
        match signals.wait()? {
            Signal::SIGCHLD => {
                if let Some(code) = reap_ended(command)? {
                    return Ok(code);
                }
            }
            signal => {
                // A command that has just ended is reaped in the next turn.
                let _ = kill(command, signal);
            }
        }
    }
}

fn reap_ended(command: Pid) -> io::Result<Option<i32>> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(pid, code) if pid == command => return Ok(Some(code)),
            WaitStatus::Signaled(pid, signal, _) if pid == command => {
                // Whoever holds the container reads it: the code alone could be the command's own.
                rustix::thread::set_name(&told(signal as i32))?;
                return Ok(Some(128 + signal as i32));
            }
            WaitStatus::StillAlive => return Ok(None),
            _ => {}
        }
    }
}

/// The first process's name when it ends, where a signal has ended the command. Nobody inside can change it.
const TOLD: &str = "init: signal ";

fn told(signal: i32) -> CString {
    CString::new(format!("{TOLD}{signal}")).unwrap_or_default()
}

/// The signal that ended the command of the first process `pid`, which has ended and isn't reaped yet.
pub(super) fn signal_of_command(pid: i32) -> Option<i32> {
    let name = kernel_file::read(format!("/proc/{pid}/comm")).ok()?;
    name.trim_end().strip_prefix(TOLD)?.parse().ok()
}
