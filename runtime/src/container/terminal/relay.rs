//! Both directions between the caller's terminal and the command's.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio, read, write};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, OutputModes, isatty, tcgetattr, tcsetattr};

use super::caller::{CallerTerminal, patient_output};
use super::keys::Key;
use super::pty;

/// How much is on its way in one direction at most, bytes.
const BUFFER: usize = 16 << 10;

/// How often data is moved before other things get their turn.
const ROUNDS: usize = 32;

/// How long what the command printed last may take to be taken.
const PATIENCE: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

const NOW: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// The command's terminal as this process holds it, and what is on its way.
#[derive(Debug)]
pub(super) struct Relay {
    /// The caller's, for its size.
    caller: CallerTerminal,
    /// The rows and columns that the caller's had when it was looked at last.
    size: Option<(u16, u16)>,
    /// Absent when the terminal was hung up.
    ends: Option<Ends>,
    /// Standard output, to be written without waiting where it can be.
    output: Option<OwnedFd>,
    /// Whether standard input may still give something.
    has_input: bool,
    /// Whether a terminal at standard input is this process's to read.
    listens: bool,
    /// One that was typed and that somebody has to act upon.
    key: Option<Key>,
    typed: Vec<u8>,
    printed: Vec<u8>,
}

#[derive(Debug)]
struct Ends {
    master: OwnedFd,
    /// Held open so that a command which has closed all of its own doesn't look like one that is gone.
    _slave: OwnedFd,
}

/// One of the things to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Typed,
    ToCommand,
    Printed,
    ToCaller,
}

impl Relay {
    /// Between standard input and output of who sits before `caller`, and `master`.
    ///
    /// # Errors
    /// Where `master` isn't what it should be.
    pub(super) fn new(caller: CallerTerminal, master: OwnedFd) -> io::Result<Self> {
        ioctl_fionbio(&master, true)?;
        pass_line_ends(&master)?;
        Ok(Self {
            caller,
            size: None,
            has_input: true,
            listens: true,
            key: None,
            ends: Some(Ends {
                _slave: pty::slave_of(&master)?,
                master,
            }),
            output: patient_output(),
            typed: vec![],
            printed: vec![],
        })
    }

    /// The command's terminal, until it is hung up.
    pub(super) fn master(&self) -> Option<&OwnedFd> {
        self.ends.as_ref().map(|ends| &ends.master)
    }

    /// Gives the command's terminal the caller's size where that is another than before: what the command sets itself
    /// stays until then. One that can't be asked or told has been hung up, which shows elsewhere.
    pub(super) fn resize(&mut self) {
        let Ok(size @ Some((rows, columns))) = self.caller.size() else {
            return;
        };
        if size != self.size
            && let Some(master) = self.master()
        {
            let _ = pty::set_size(master, rows, columns);
            self.size = size;
        }
    }

    /// Whether a terminal at standard input is this process's to read: a job in the background would be stopped for it.
    pub(super) fn listen(&mut self, listens: bool) {
        self.listens = listens || !isatty(stdin());
    }

    /// A key that was typed and that somebody has to act upon.
    pub(super) fn take_key(&mut self) -> Option<Key> {
        self.key.take()
    }

    /// What to wait for.
    pub(super) fn waiting(&self) -> Vec<PollFd<'_>> {
        self.sides()
            .into_iter()
            .map(|(_, waiting)| waiting)
            .collect()
    }

    fn sides(&self) -> Vec<(Side, PollFd<'_>)> {
        let mut sides = vec![];
        let mut add = |side, descriptor, flags| {
            sides.push((side, PollFd::from_borrowed_fd(descriptor, flags)));
        };
        if let Some(master) = self.master() {
            if self.typed.is_empty() {
                if self.has_input && self.listens {
                    add(Side::Typed, stdin(), PollFlags::IN);
                }
            } else {
                add(Side::ToCommand, master.as_fd(), PollFlags::OUT);
            }
            if self.printed.is_empty() {
                add(Side::Printed, master.as_fd(), PollFlags::IN);
            }
        }
        if !self.printed.is_empty() {
            add(Side::ToCaller, self.output(), PollFlags::OUT);
        }
        sides
    }

    fn output(&self) -> BorrowedFd<'_> {
        match &self.output {
            Some(output) => output.as_fd(),
            None => stdout(),
        }
    }

    /// Moves what can be moved without waiting.
    pub(super) fn turn(&mut self) {
        for _ in 0..ROUNDS {
            if self.key.is_some() || !self.step(&NOW) {
                return;
            }
        }
    }

    /// Takes what the command printed last, when it is gone.
    pub(super) fn drain(&mut self) {
        // Nothing is typed for it any more.
        loop {
            let wait = if self.printed.is_empty() {
                &NOW
            } else {
                &PATIENCE
            };
            let is_printing = self
                .ready(wait)
                .into_iter()
                .find(|side| matches!(side, Side::Printed | Side::ToCaller));
            match is_printing {
                Some(side) => self.serve(side),
                None => return,
            }
        }
    }

    fn step(&mut self, wait: &Timespec) -> bool {
        let ready = self.ready(wait);
        for side in &ready {
            self.serve(*side);
        }
        !ready.is_empty()
    }

    fn ready(&self, wait: &Timespec) -> Vec<Side> {
        let (sides, mut waiting): (Vec<Side>, Vec<PollFd<'_>>) = self.sides().into_iter().unzip();
        match poll(&mut waiting, Some(wait)) {
            Ok(1..) => std::iter::zip(sides, waiting)
                .filter(|(_, waiting)| !waiting.revents().is_empty())
                .map(|(side, _)| side)
                .collect(),
            _ => vec![],
        }
    }

    fn serve(&mut self, side: Side) {
        let Some(master) = self.ends.as_ref().map(|ends| ends.master.as_fd()) else {
            if side == Side::ToCaller && self.give_to_caller().is_err() {
                self.printed.clear();
            }
            return;
        };
        let served = match side {
            // The end of a file or a pipe isn't the end of the terminal.
            Side::Typed if !isatty(stdin()) => {
                self.has_input = take(stdin(), &mut self.typed).is_ok();
                Ok(())
            }
            Side::Typed => take(stdin(), &mut self.typed).map(|()| {
                // What was typed in a terminal of a new size may come before SIGWINCH, which not everybody gets.
                self.resize();
                self.note_key();
            }),
            Side::ToCommand => give(master, &mut self.typed),
            Side::Printed => take(master, &mut self.printed),
            Side::ToCaller => self.give_to_caller(),
        };
        if served.is_err() {
            self.hang_up(side);
        }
    }

    fn note_key(&mut self) {
        if let Some(ends) = &self.ends {
            self.key = Key::find(&ends.master, &mut self.typed).or(self.key);
        }
    }

    fn give_to_caller(&mut self) -> Result<(), Errno> {
        let mut printed = std::mem::take(&mut self.printed);
        let given = give(self.output(), &mut printed);
        self.printed = printed;
        given
    }

    /// The caller is gone: the kernel tells the command so when its terminal loses this end (SIGHUP). Nobody
    /// reads any more what is printed, either.
    fn hang_up(&mut self, side: Side) {
        self.ends = None;
        self.typed.clear();
        if side == Side::ToCaller {
            self.printed.clear();
        }
    }
}

/// Has a line end as the command writes it, for a caller who redirects what it prints. A new pseudoterminal puts a
/// carriage return before each line feed (ONLCR of termios(3)); the caller's does so for itself.
fn pass_line_ends(master: &OwnedFd) -> io::Result<()> {
    let mut modes = tcgetattr(master)?;
    modes.output_modes.remove(OutputModes::ONLCR);
    Ok(tcsetattr(master, OptionalActions::Now, &modes)?)
}

/// Reads what is there; the end of it is an error.
fn take(from: BorrowedFd<'_>, into: &mut Vec<u8>) -> Result<(), Errno> {
    let mut buffer = [0; BUFFER];
    match read(from, &mut buffer) {
        Ok(0) => Err(Errno::IO),
        Ok(length) => {
            into.extend_from_slice(buffer.get(..length).unwrap_or_default());
            Ok(())
        }
        Err(Errno::AGAIN | Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Writes as much as is taken.
fn give(to: BorrowedFd<'_>, from: &mut Vec<u8>) -> Result<(), Errno> {
    match write(to, from) {
        Ok(length) => {
            from.drain(..length);
            Ok(())
        }
        Err(Errno::AGAIN | Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}
