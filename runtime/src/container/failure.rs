//! How the container's first process says why it could not execute the command.
//!
//! libcontainer passes errors on as text, and after `start` not at all. A pipe that execve(2) closes
//! carries ours whole: end of file without a word means that the command is running.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use rustix::io::{ioctl_fionread, retry_on_intr};
use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::sys::write_to;

/// What went wrong in the container's first process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failure {
    /// The command isn't there.
    NotFound { command: String },
    /// The command is there and can't be executed.
    NotExecutable { command: String, reason: String },
    /// A step of ours failed.
    Step { step: String, reason: String },
    /// The way to the first process failed, and the reason says it all.
    Making { reason: String },
}

/// Nobody reads the pipe before libcontainer gives up, so a failure must fit into it.
const MAX_TEXT: usize = 4096;

/// What a first process says before it executes the command.
const EXECUTING: &[u8] = b"executing\n";

const PATIENCE: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

impl Failure {
    fn shortened(&self) -> Self {
        let short = |text: &str| text.chars().take(MAX_TEXT).collect();
        match self {
            Self::NotFound { command } => Self::NotFound {
                command: short(command),
            },
            Self::NotExecutable { command, reason } => Self::NotExecutable {
                command: short(command),
                reason: short(reason),
            },
            Self::Step { step, reason } => Self::Step {
                step: short(step),
                reason: short(reason),
            },
            Self::Making { reason } => Self::Making {
                reason: short(reason),
            },
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotFound { command } => Self::NotFound(command),
            Failure::NotExecutable { command, reason } => Self::NotExecutable { command, reason },
            Failure::Step { step, reason } => Self::Libcontainer(format!("{step}: {reason}")),
            Failure::Making { reason } => Self::Libcontainer(reason),
        }
    }
}

/// Runs one step; its failure names it.
pub(super) fn step(
    name: &str,
    body: impl FnOnce() -> Result<(), std::io::Error>,
) -> Result<(), Failure> {
    body().map_err(|error| Failure::Step {
        step: name.to_owned(),
        reason: error.to_string(),
    })
}

/// The runtime's end of the pipe.
#[derive(Debug)]
pub(super) struct FailureReader {
    reader: File,
    writer: Option<OwnedFd>,
}

/// The container's end: a number, since it crosses a fork inside libcontainer.
#[derive(Debug, Clone, Copy)]
pub(super) struct FailureWriter(RawFd);

/// Makes the pipe.
pub(super) fn failure_pipe() -> Result<(FailureReader, FailureWriter)> {
    let (reader, writer) =
        pipe_with(PipeFlags::CLOEXEC).map_err(Error::step("make a pipe for failures"))?;
    let number = FailureWriter(writer.as_raw_fd());
    let reader = FailureReader {
        reader: reader.into(),
        writer: Some(writer),
    };
    Ok((reader, number))
}

/// Makes the pipe with a name, at `path`: `start` reads it when the process that made it is gone.
pub(super) fn named_failure_pipe(path: &Path) -> Result<(FailureReader, FailureWriter)> {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .map_err(|errno| Error::io("make", path)(errno.into()))?;
    let mut reader = FailureReader::at(path)?;
    let writer = open_end(path, OFlags::WRONLY)?;
    let number = FailureWriter(writer.as_raw_fd());
    reader.writer = Some(writer);
    Ok((reader, number))
}

fn open_end(path: &Path, flags: OFlags) -> Result<OwnedFd> {
    open(
        path,
        flags | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| Error::io("open", path)(errno.into()))
}

impl FailureReader {
    /// The reading end of the pipe that [`named_failure_pipe`] made at `path`.
    pub(super) fn at(path: &Path) -> Result<Self> {
        // Not blocking: where no process has the other end open any more, this must not wait for one.
        let reader = open_end(path, OFlags::RDONLY | OFlags::NONBLOCK)?.into();
        Ok(Self {
            reader,
            writer: None,
        })
    }

    /// Waits until the container's first process has executed the command, or is gone.
    ///
    /// # Errors
    /// Why the command wasn't executed.
    pub(super) fn wait_for_execution(mut self) -> Result<()> {
        let mut said = vec![];
        loop {
            match self.reader.read_to_end(&mut said) {
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut waiting = [PollFd::new(&self.reader, PollFlags::IN)];
                    retry_on_intr(|| poll(&mut waiting, None))
                        .map_err(Error::step("wait for the command's execution"))?;
                }
                Err(error) => return Err(Error::step("read why the command failed")(error)),
            }
        }
        let after = said.strip_prefix(EXECUTING);
        match failure_in(after.unwrap_or(&said)) {
            Some(failure) => Err(failure.into()),
            None if after.is_some() => Ok(()),
            None => Err(Error::NotExecuted),
        }
    }

    /// Closes our copy of the container's end, so that end of file can come.
    pub(super) fn close_writer(&mut self) {
        self.writer = None;
    }

    /// What the container's first process said, once it has executed the command or is gone: `None` where
    /// it said nothing. Waits no longer than [`PATIENCE`]: a process that is stuck holds its end open.
    pub(super) fn take(mut self) -> Option<Failure> {
        self.close_writer();
        let mut waiting = [PollFd::new(&self.reader, PollFlags::IN)];
        poll(&mut waiting, Some(&PATIENCE))
            .ok()
            .filter(|ready| *ready > 0)?;
        // A failure is written at once and fits into the pipe, so all of it is there.
        let length = ioctl_fionread(&self.reader).ok()?;
        let mut text = vec![0; usize::try_from(length).ok()?];
        self.reader.read_exact(&mut text).ok()?;
        failure_in(&text)
    }
}

/// What somebody said, who mostly says nothing: then there is no error to be made of it, which takes longer than all
/// the rest.
fn failure_in(text: &[u8]) -> Option<Failure> {
    match text {
        [] => None,
        text => serde_json::from_slice(text).ok(),
    }
}

impl FailureWriter {
    /// The descriptor, for who closes all others.
    pub(super) fn number(self) -> RawFd {
        self.0
    }

    /// Says that the command is about to be executed: from here on silence means that it was.
    pub(super) fn announce_execution(self) {
        // Nobody to tell if it fails; `start` then says that the command wasn't executed.
        let _ = write_to(self.0, EXECUTING);
    }

    /// Sends `failure`; there is nobody to tell if that fails as well.
    pub(super) fn send(self, failure: &Failure) {
        if let Ok(text) = serde_json::to_vec(&failure.shortened()) {
            let _ = write_to(self.0, &text);
        }
    }
}
