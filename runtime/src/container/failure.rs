//! How the container's first process says why it could not execute the command.
//!
//! libcontainer passes errors on as text, and after `start` not at all. A pipe that execve(2) closes
//! carries ours whole: end of file without a word means that the command is running.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

use super::process::{ProcessId, is_alive, is_foreign};
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
}

/// Nobody reads the pipe before libcontainer gives up, so a failure must fit into it.
const MAX_TEXT: usize = 4096;

/// What a pipe holds: pipe(7).
const PIPE_SIZE: usize = 64 << 10;

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
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotFound { command } => Self::NotFound(command),
            Failure::NotExecutable { command, reason } => Self::NotExecutable { command, reason },
            Failure::Step { step, reason } => Self::Libcontainer(format!("{step}: {reason}")),
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

/// The container's end: a number, since it crosses a fork inside libcontainer, and is kept for `start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureWriter(RawFd);

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

impl FailureReader {
    /// The other end of what `process` holds as `writer`: `create` and its reader may be gone by now.
    pub(super) fn of(process: ProcessId, writer: FailureWriter) -> Result<Self> {
        let path = format!("/proc/{}/fd/{}", process.pid, writer.0);
        let reader = File::open(&path).map_err(Error::io("open", &path))?;
        // Looked at with the file open, so that the pid was not another process's when it was opened.
        if is_foreign(process) || !is_alive(process) {
            let gone = std::io::Error::from_raw_os_error(libc::ESRCH);
            return Err(Error::io("open", &path)(gone));
        }
        let kind = fstat(&reader).map_err(|errno| Error::io("look at", &path)(errno.into()))?;
        if FileType::from_raw_mode(kind.st_mode) != FileType::Fifo {
            let other = std::io::ErrorKind::InvalidData.into();
            return Err(Error::io("open", &path)(other));
        }
        Ok(Self {
            reader,
            writer: None,
        })
    }

    /// Waits until the container's first process has executed the command, or is gone: what it said, if
    /// it said something.
    pub(super) fn wait(mut self) -> Option<Failure> {
        self.read()
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
        self.read()
    }

    fn read(&mut self) -> Option<Failure> {
        // A failure is written at once and fits into the pipe, so one read has it whole.
        let mut text = vec![0; PIPE_SIZE];
        let length = self.reader.read(&mut text).ok()?;
        serde_json::from_slice(text.get(..length)?).ok()
    }
}

impl FailureWriter {
    /// The descriptor, for who closes all others.
    pub(super) fn number(self) -> RawFd {
        self.0
    }

    /// Sends `failure`; there is nobody to tell if that fails as well.
    pub(super) fn send(self, failure: &Failure) {
        if let Ok(text) = serde_json::to_vec(&failure.shortened()) {
            let _ = write_to(self.0, &text);
        }
    }
}
