//! A process's standard streams: what containerd names, mostly FIFOs, and what the process has, pipes or a terminal.
//!
//! The process never has the FIFOs themselves: whoever reads them may go and come again, and writing to one that
//! nobody reads would end it. A thread a process copies ([`copier`]).

mod copier;
mod open;
mod stream;
mod unread;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::RecvFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::helper::Descriptors;
use open::{Input, Output, input, output};
use stream::Stream;

pub use copier::Copier;

/// What containerd names.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// Standard input; empty for none, as with the others.
    pub stdin: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error; none with a terminal.
    pub stderr: String,
    /// Whether the process gets a terminal.
    pub terminal: bool,
}

/// Streams that are ready for a process that isn't made yet.
#[derive(Debug)]
pub struct Prepared {
    streams: Vec<Stream>,
    input: Option<Input>,
    output: Option<Output>,
    console: Option<OwnedFd>,
}

/// The streams of a process that is there.
#[derive(Debug)]
pub struct Attached {
    copier: Option<Copier>,
    terminal: Option<Arc<OwnedFd>>,
}

impl Paths {
    /// Opens them, and makes what the process gets.
    ///
    /// # Errors
    /// Where one can't be opened.
    pub fn prepare(&self) -> io::Result<(Prepared, Descriptors)> {
        if self.terminal {
            self.prepare_terminal()
        } else {
            self.prepare_pipes()
        }
    }

    fn prepare_terminal(&self) -> io::Result<(Prepared, Descriptors)> {
        let (ours, theirs) = runtime::passing::pair()?;
        let prepared = Prepared {
            streams: vec![],
            input: input(&self.stdin)?,
            output: output(&self.stdout)?,
            console: Some(ours),
        };
        let descriptors = Descriptors {
            standard: None,
            console: Some(theirs),
        };
        Ok((prepared, descriptors))
    }

    fn prepare_pipes(&self) -> io::Result<(Prepared, Descriptors)> {
        let mut streams = vec![];
        let stdin = match input(&self.stdin)? {
            Some(from) => {
                let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC)?;
                streams.push(Stream::of_input(from, without_waiting(ours)?));
                theirs
            }
            None => null()?,
        };
        let mut out = |path: &str| -> io::Result<OwnedFd> {
            let Some(to) = output(path)? else {
                return null();
            };
            let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
            streams.push(Stream::of_output(without_waiting(ours)?, to));
            Ok(theirs)
        };
        let standard = [stdin, out(&self.stdout)?, out(&self.stderr)?];
        let prepared = Prepared {
            streams,
            input: None,
            output: None,
            console: None,
        };
        let descriptors = Descriptors {
            standard: Some(standard),
            console: None,
        };
        Ok((prepared, descriptors))
    }
}

impl Prepared {
    /// Begins to copy, when the process has been made.
    ///
    /// # Errors
    /// Where its terminal didn't come.
    pub fn attach(mut self) -> io::Result<Attached> {
        let mut terminal = None;
        if let Some(console) = self.console.take() {
            let mut name = [0; 256];
            let (_, master) = runtime::passing::receive(&console, &mut name, RecvFlags::DONTWAIT)?;
            let master = master.ok_or_else(|| io::Error::other("no terminal came"))?;
            let master = Arc::new(without_waiting(master)?);
            if let Some(input) = self.input.take() {
                self.streams.push(Stream::of_input(
                    input,
                    master.as_fd().try_clone_to_owned()?,
                ));
            }
            if let Some(output) = self.output.take() {
                self.streams.push(Stream::of_output(
                    master.as_fd().try_clone_to_owned()?,
                    output,
                ));
            }
            terminal = Some(master);
        }
        let copier = match self.streams.is_empty() {
            true => None,
            false => Some(Copier::start(self.streams)?),
        };
        Ok(Attached { copier, terminal })
    }
}

impl Attached {
    /// Gives the terminal a size.
    ///
    /// # Errors
    /// Where there is none.
    pub fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let terminal = self.terminal.as_ref();
        let terminal = terminal.ok_or_else(|| io::Error::other("the process has no terminal"))?;
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(tcsetwinsize(terminal.as_ref(), size)?)
    }

    /// Has standard input end when those who write to it by then have gone.
    pub fn close_input(&self) {
        if let Some(copier) = &self.copier {
            copier.close_input();
        }
    }

    /// The process has ended: nobody reads its input any more. What it has written is still copied.
    pub fn process_has_ended(&self) {
        if let Some(copier) = &self.copier {
            copier.process_has_ended();
        }
    }

    /// Who knows when all that the process wrote has been read.
    pub fn copier(&self) -> Option<Copier> {
        self.copier.clone()
    }

    /// Waits until all has been copied, or for a while: another process may have the streams yet.
    pub fn finish(self) {
        if let Some(copier) = self.copier {
            copier.finish();
        }
    }
}

/// Reading and writing never wait: the copier does, for all of them.
fn without_waiting(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    let flags = fcntl_getfl(&descriptor)?;
    fcntl_setfl(&descriptor, flags | OFlags::NONBLOCK)?;
    Ok(descriptor)
}

fn null() -> io::Result<OwnedFd> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    Ok(file.into())
}
