//! The controlling terminal: tty_ioctl(4).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::signal::{SigHandler, Signal, signal};

const TERMINAL: &str = "/dev/tty";

/// Leaves the controlling terminal, if there is one: what this process executes later can't get it back, nor
/// push input into it.
///
/// # Errors
/// Those of ioctl(2) and sigaction(2).
pub(crate) fn leave_controlling_terminal() -> io::Result<()> {
    let terminal = match File::open(TERMINAL) {
        Ok(terminal) => terminal,
        Err(error) if is_none(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    leave_terminal(&terminal)
}

/// Leaves `terminal`, which is the controlling one. Other processes of its foreground group are told by a
/// hang-up; this one isn't, unless it blocks that.
///
/// # Errors
/// Those of ioctl(2), `ENOTTY` where it isn't the controlling one; those of sigaction(2).
pub(crate) fn leave_terminal(terminal: impl AsFd) -> io::Result<()> {
    // The leader of a session is told by a hang-up that it has lost its terminal.
    // SAFETY: ignoring runs no code of ours.
    let before = unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) }?;
    // SAFETY: TIOCNOTTY takes no argument.
    let result = unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCNOTTY) };
    let left = if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    };
    // SAFETY: what was there before.
    unsafe { signal(Signal::SIGHUP, before) }?;
    left
}

/// `ENXIO` is a process without one; the others are a machine without such a device.
fn is_none(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENXIO | libc::ENOENT | libc::ENODEV)
    )
}
