//! The command of a first process that was made before anybody asked for one.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::stat::fstat;
use nix::unistd::{close, dup2};
use oci_spec::runtime::Process;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::chdir;
use serde::{Deserialize, Serialize};

use crate::container::descriptors::open_numbers;
use crate::container::{Error, Result};
use crate::sys::read_from;

/// All that is told to the process: whatever else it is was settled, and checked, from outside.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::container) struct LateCommand {
    /// The command line, executable first.
    pub arguments: Vec<String>,
    /// Whether standard error goes where standard output does.
    pub is_one_output: bool,
}

impl LateCommand {
    /// What the waiting process does with it: becomes the command's process in all that only it can.
    ///
    /// # Errors
    /// Where the working directory, on which the project lies by now, can't be entered.
    pub(in crate::container) fn take_on(self, process: &mut Process) -> io::Result<()> {
        if self.is_one_output {
            dup2(1, 2)?;
        }
        process.set_args(Some(self.arguments));
        // The process is still in the directory that the project covers.
        Ok(chdir(process.cwd())?)
    }
}

/// Where the command is written: a file in memory, which the process has too, and execve(2) closes.
#[derive(Debug)]
pub(super) struct LateCommandFile(File);

impl LateCommandFile {
    pub(super) fn new() -> Result<Self> {
        let file = memfd_create("command", MemfdFlags::CLOEXEC)
            .map_err(Error::step("make a file in memory"))?;
        Ok(Self(file.into()))
    }

    /// The end of a process that is made from here on. What is open by now, beyond the standard descriptors, is of no use to it.
    pub(super) fn reader(&self) -> Result<LateCommandReader> {
        Ok(LateCommandReader {
            number: self.0.as_raw_fd(),
            before: open_numbers().map_err(Error::step("look at what is open"))?,
        })
    }

    pub(super) fn write(&mut self, command: &LateCommand) -> Result<()> {
        let failed = "pass on the command";
        let text = serde_json::to_vec(command)
            .map_err(|error| Error::step(failed)(io::Error::from(error)))?;
        // The process reads where this one is.
        self.0
            .write_all(&text)
            .and_then(|()| self.0.rewind())
            .map_err(Error::step(failed))
    }
}

fn is_socket(number: RawFd) -> bool {
    fstat(number).is_ok_and(|status| status.st_mode & libc::S_IFMT == libc::S_IFSOCK)
}

/// The process's end: numbers, since they cross a fork inside libcontainer.
#[derive(Debug, Clone)]
pub struct LateCommandReader {
    number: RawFd,
    /// What was open before the process was made.
    before: Vec<RawFd>,
}

impl LateCommandReader {
    /// The command.
    ///
    /// # Errors
    /// Where there is none: whoever started the process was not who made it.
    pub(in crate::container) fn read(&self) -> io::Result<LateCommand> {
        Ok(serde_json::from_slice(&read_from(self.number)?)?)
    }

    /// Closes what the process has of the one that made it, but for `kept` and for sockets that were made with it: each open
    /// file is one more to look at, and to close when the command is executed. Nobody comes back to use them here.
    ///
    /// # Errors
    /// Those of close(2).
    pub(in crate::container) fn close_others(&self, kept: RawFd) -> io::Result<()> {
        for number in open_numbers()? {
            let is_needed = number <= 2 || [self.number, kept].contains(&number);
            let is_others = || self.before.contains(&number) || !is_socket(number);
            if !is_needed && is_others() {
                close(number)?;
            }
        }
        Ok(())
    }
}
