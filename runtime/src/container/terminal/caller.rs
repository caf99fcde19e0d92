//! The terminal that the caller sits before.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::getpgrp;
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{
    OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
};

use super::pty;

/// The terminal, with the modes that it had.
#[derive(Debug, Clone)]
pub(in crate::container) struct CallerTerminal {
    terminal: Rc<OwnedFd>,
    original: Termios,
    raw: Termios,
}

impl CallerTerminal {
    /// The terminal at one of the standard descriptors, or else the controlling one: input and output may be
    /// redirected. `None` where there is none.
    pub(in crate::container) fn find() -> Option<Self> {
        let standard = [stdin(), stdout(), stderr()]
            .into_iter()
            .find(|one| isatty(one));
        let terminal = match standard {
            Some(terminal) => fcntl_dupfd_cloexec(terminal, 3).ok()?,
            None => open(
                "/dev/tty",
                OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .ok()?,
        };
        let original = tcgetattr(&terminal).ok()?;
        let mut raw = original.clone();
        raw.make_raw();
        // Ends of lines stay this one's business: the command's terminal passes them on as they are.
        raw.output_modes = original.output_modes;
        Some(Self {
            terminal: Rc::new(terminal),
            original,
            raw,
        })
    }

    /// Its descriptor, for who closes all others.
    pub(super) fn number(&self) -> RawFd {
        self.terminal.as_raw_fd()
    }

    /// Whether it is this process's to read and to set: not while its job is in the background, as of `&` or `bg`. One
    /// that controls another session, or none, has no background.
    pub(super) fn is_ours(&self) -> bool {
        tcgetpgrp(&*self.terminal).map_or(true, |group| group == getpgrp())
    }

    /// Has every key come through as it is, for the command's own terminal to give it a meaning.
    pub(super) fn make_raw(&self) -> io::Result<()> {
        Ok(tcsetattr(&*self.terminal, OptionalActions::Now, &self.raw)?)
    }

    /// Gives it back the modes that it had.
    pub(super) fn restore(&self) -> io::Result<()> {
        Ok(tcsetattr(
            &*self.terminal,
            OptionalActions::Now,
            &self.original,
        )?)
    }

    /// Gives it back the modes that it had, unless somebody else has set others in the meantime: a shell does
    /// when its job is gone.
    pub(super) fn restore_if_raw(&self) -> io::Result<()> {
        let now = tcgetattr(&*self.terminal)?;
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
        match self.size()? {
            Some((rows, columns)) => pty::set_size(master, rows, columns),
            None => Ok(()),
        }
    }

    /// Its rows and columns, where it has any.
    ///
    /// # Errors
    /// Those of ioctl_tty(2).
    pub(super) fn size(&self) -> io::Result<Option<(u16, u16)>> {
        let size = tcgetwinsize(&*self.terminal)?;
        let has_any = size.ws_row > 0 && size.ws_col > 0;
        Ok(has_any.then_some((size.ws_row, size.ws_col)))
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
