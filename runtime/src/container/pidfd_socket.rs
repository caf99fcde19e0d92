//! The socket over which an engine gets a descriptor of the process: `--pidfd-socket`, as runc has it. A pid may
//! become another process's; the descriptor can't.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::process::{self, ProcessId};
use super::{Error, Result};
use crate::passing;

/// What goes along with the descriptor.
const NAME: &[u8] = b"pidfd";

/// A connected socket of the caller's.
#[derive(Debug)]
pub(super) struct PidfdSocket {
    stream: UnixStream,
    path: PathBuf,
}

impl PidfdSocket {
    /// Connects to the socket at `path`, where there is one: before anything is made.
    ///
    /// # Errors
    /// Where nobody listens there.
    pub(super) fn connect(path: Option<&Path>) -> Result<Option<Self>> {
        path.map(|path| {
            Ok(Self {
                stream: passing::connect(path)
                    .map_err(Error::io("connect to pidfd socket", path))?,
                path: path.to_path_buf(),
            })
        })
        .transpose()
    }

    /// Sends a descriptor of `process`.
    ///
    /// # Errors
    /// Where the process or the other side is gone.
    pub(super) fn send(&self, process: ProcessId) -> Result<()> {
        let descriptor = process::open(process).map_err(Error::step("open the process"))?;
        passing::send(&self.stream, NAME, Some(descriptor.as_fd()))
            .map_err(|errno| Error::io("send to pidfd socket", &self.path)(errno.into()))
    }
}
