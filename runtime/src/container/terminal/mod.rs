//! Terminals: the command's own, in its container, and who holds the other end of it.
//!
//! An engine gets that end over a socket ([`ConsoleSocket`]). A caller who sits before a terminal is connected
//! with it ([`Attached`]): the caller's terminal passes on every key, the command's gives them their meaning,
//! and sizes follow. libcontainer makes the terminals of first processes, `exec` its own ([`pty`]).

mod attached;
mod caller;
mod console_socket;
mod keeper;
mod keys;
mod own;
pub(super) mod pty;
mod relay;

use oci_spec::runtime::Process;
use std::os::fd::OwnedFd;

use super::{Error, Result};
pub(super) use attached::Attached;
pub(super) use caller::CallerTerminal;
pub(super) use console_socket::{ConsoleAt, ConsoleSocket};
pub(super) use own::OwnTerminal;

/// Who holds the other end of a command's terminal.
#[derive(Debug)]
pub(super) enum Console {
    /// The command has none.
    None,
    /// An engine, over its socket.
    Socket(ConsoleSocket),
    /// The caller, before a terminal.
    Caller(Box<CallerTerminal>),
}

impl Console {
    /// Decides it, before anything is made. `is_left`: the command outlives this process.
    ///
    /// # Errors
    /// [`Error::Terminal`] where nobody would hold it, or a socket would get none.
    pub(super) fn plan(
        wants_terminal: bool,
        is_left: bool,
        socket: Option<ConsoleAt<'_>>,
    ) -> Result<Self> {
        match (wants_terminal, is_left, socket) {
            (true, true, Some(place)) => Ok(Self::Socket(ConsoleSocket::open(place)?)),
            (true, true, None) => Err(Error::Terminal(
                "process.terminal is true and nobody would hold the terminal; hint: --console-socket",
            )),
            (false, _, Some(_)) => Err(Error::Terminal(
                "--console-socket is for a command with a terminal; hint: process.terminal: true",
            )),
            (true, false, Some(_)) => Err(Error::Terminal(
                "--console-socket is for a command that is left to itself; hint: --detach",
            )),
            (true, false, None) => CallerTerminal::find()
                .map(|terminal| Self::Caller(Box::new(terminal)))
                .ok_or(Error::Terminal(
                    "process.terminal is true and the caller has no terminal; hint: run it in one, or without",
                )),
            (false, _, None) => Ok(Self::None),
        }
    }

    /// Whether the command has a terminal.
    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Gives `master` to the engine that waits for it, or back for this process to hold.
    ///
    /// # Errors
    /// Where the engine is gone.
    pub(super) fn hand_over(&self, master: OwnedFd) -> Result<Option<OwnedFd>> {
        match self {
            Self::Socket(socket) => socket.send(&master).map(|()| None),
            _ => Ok(Some(master)),
        }
    }

    /// Gives the terminal behind `master` its first size: the caller's, or else what the specification says.
    ///
    /// # Errors
    /// Those of ioctl_tty(2).
    pub(super) fn set_first_size(&self, master: &OwnedFd, process: &Process) -> Result<()> {
        let failed = Error::step("set the size of the terminal");
        if let Some((rows, columns)) = size_of(process) {
            pty::set_size(master, rows, columns).map_err(failed)?;
        }
        match self {
            Self::Caller(terminal) => terminal
                .copy_size(master)
                .map_err(Error::step("set the size of the terminal")),
            _ => Ok(()),
        }
    }
}

/// `process.consoleSize`, where it says anything. What the kernel can't hold was refused with the process.
fn size_of(process: &Process) -> Option<(u16, u16)> {
    let size = process.console_size()?;
    let rows = u16::try_from(size.height()).ok()?;
    let columns = u16::try_from(size.width()).ok()?;
    (rows > 0 && columns > 0).then_some((rows, columns))
}
