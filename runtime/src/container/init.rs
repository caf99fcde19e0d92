//! The first process of the pid namespace of an Opt-Server command, or of a Shifter container.
//!
//! For the first process the kernel drops signals that have their default action, so abort(3) would be
//! told as a fault and a command could not end itself by SIGTERM; and it would have to reap orphans. So
//! this process, which is the runtime's, stays the first, and the command is its child.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    DumpableBehavior, getpid, ioctl_tiocsctty, set_child_subreaper, set_dumpable_behavior, setsid,
};
use rustix::stdio::stdin;

use crate::kernel_file;
use crate::sys::{
    close_all_descriptors, exit_at_once, forget_arguments_and_environment, fork, leave_terminal,
};

/// Splits the process: returns in the child, which is to execute the command. The parent stays as the
/// first process until the child ends, and ends with its code, or 128 plus the signal that ended it.
///
/// With `has_terminal` the child gets the terminal at standard input, in a session of its own: keys must reach
/// the command and what it starts, and not this process, which would pass a signal on once more.
///
/// With `is_among_others` the pid namespace has another first process, which tasks share; this one is the first of
/// its own container only.
///
/// # Errors
/// Where the split fails; there is one process then.
pub(super) fn split(has_terminal: bool, is_among_others: bool) -> io::Result<()> {
    if has_terminal {
        // While no signal is blocked: the hang-up that comes of it must go to nobody.
        leave_terminal(stdin())?;
    }
    if is_among_others {
        // What the command leaves behind would go to the first process of their pid namespace.
        set_child_subreaper(Some(getpid()))?;
    }
    let (hidden, hiding) = pipe_with(PipeFlags::CLOEXEC)?;
    // Blocked before there is a child, so that neither its end nor a signal for it is missed.
    let mut old = SigSet::empty();
    sigprocmask(
        SigmaskHow::SIG_SETMASK,
        Some(&SigSet::all()),
        Some(&mut old),
    )?;
    let Some(child) = fork()? else {
        drop(hiding);
        // The command must not run beside a process that it could look into. The end of file comes when
        // the other side has closed all that it had open, its last act of hiding.
        File::from(hidden).read_to_end(&mut vec![])?;
        if has_terminal {
            setsid()?;
            ioctl_tiocsctty(stdin())?;
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&old), None)?;
        return Ok(());
    };
    let code = hide().and_then(|()| reap(child));
    exit_at_once(code.unwrap_or(125));
}

/// Nothing of the runtime's is left for the command to see: no memory or files (ptrace(2) access is denied
/// to what isn't dumpable), no host paths in the command line, nothing open.
fn hide() -> io::Result<()> {
    forget_arguments_and_environment()?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::thread::set_name(c"init")?;
    close_all_descriptors()
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
