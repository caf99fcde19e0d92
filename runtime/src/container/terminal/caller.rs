//! The terminal that the caller sits before.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use super::pty;

/// The terminal at standard input, with the modes that it had.
#[derive(Debug, Clone)]
pub(in crate::container) struct CallerTerminal {
    original: Termios,
    raw: Termios,
}

impl CallerTerminal {
    /// The terminal at standard input, if there is one.
    pub(in crate::container) fn find() -> Option<Self> {
        let original = tcgetattr(stdin()).ok()?;
        let mut raw = original.clone();
        raw.make_raw();
        Some(Self { original, raw })
    }

    /// Has every key come through as it is, for the command's own terminal to give it a meaning.
    pub(super) fn make_raw(&self) -> io::Result<()> {
        Ok(tcsetattr(stdin(), OptionalActions::Now, &self.raw)?)
    }

    /// Gives it back the modes that it had.
    pub(super) fn restore(&self) -> io::Result<()> {
        Ok(tcsetattr(stdin(), OptionalActions::Now, &self.original)?)
    }

    /// Gives it back the modes that it had, unless somebody else has set others in the meantime: a shell does
    /// when its job is gone.
    pub(super) fn restore_if_raw(&self) -> io::Result<()> {
        let now = tcgetattr(stdin())?;
        let is_raw = now.local_modes == self.raw.local_modes
            && now.input_modes == self.raw.input_modes
            && now.output_modes == self.raw.output_modes;
        if is_raw { self.restore() } else { Ok(()) }
    }

    /// Gives the terminal behind `master` this one's size, where it has one.
    ///
    /// # Errors
    /// Those of ioctl_tty(2).
    pub(in crate::container) fn copy_size(&self, master: &OwnedFd) -> io::Result<()> {
        let size = tcgetwinsize(stdin())?;
        if size.ws_row == 0 || size.ws_col == 0 {
            return Ok(());
        }
        pty::set_size(master, size.ws_row, size.ws_col)
    }
}

/// Standard output opened anew, to be written without waiting: the flag for that belongs to the open file,
/// which the caller shares. Only for what has no position to share: a terminal or a FIFO.
pub(super) fn patient_output() -> Option<OwnedFd> {
    let number = stdout().as_fd().as_raw_fd();
    let is_stream = isatty(stdout())
        || rustix::fs::fstat(stdout()).is_ok_and(|stat| {
            rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Fifo
        });
    if !is_stream {
        return None;
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    open(format!("/proc/self/fd/{number}"), flags, Mode::empty()).ok()
}
