//! The signal mask of a child process.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

/// Has the child start with no signal blocked: the runtime blocks what it forwards, and a child inherits that.
pub(crate) fn unblock_signals_in(command: &mut Command) -> &mut Command {
    let unblock = || {
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        Ok(())
    };
    // SAFETY: the closure makes one system call, allocates nothing and takes no lock.
    unsafe { command.pre_exec(unblock) }
}
