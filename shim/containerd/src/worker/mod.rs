//! A worker: a process of its own that does one operation on a container, with the runtime's library, and ends.
//!
//! What an operation leaves in a process (its standard streams, groups, OOM score, working directory) is gone with it,
//! and the shim stays as small as it began.

mod create;
mod operations;
mod request;
pub mod rootfs;

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::helper::Descriptors;

pub use request::{Answer, Checkpoint, Create, Failure, FailureKind, Mount, Operation, Request};

/// The worker's life, as the helper's child; its value is its exit code.
pub fn run(operation: OwnedFd, descriptors: Descriptors) -> i32 {
    match answer(operation.into(), descriptors) {
        Ok(()) => 0,
        // The shim is gone, and with it whoever would have been told.
        Err(_) => 1,
    }
}

fn answer(mut socket: UnixStream, descriptors: Descriptors) -> io::Result<()> {
    socket.write_all(&std::process::id().to_le_bytes())?;
    let mut text = vec![];
    socket.read_to_end(&mut text)?;
    let answer = match serde_json::from_slice::<Request>(&text) {
        Ok(request) => {
            take(descriptors.standard)?;
            operations::perform(&request, descriptors.console.as_ref())
        }
        Err(error) => Err(Failure::unknown(error)),
    };
    let answer = serde_json::to_vec(&answer)?;
    let length = u32::try_from(answer.len()).map_err(io::Error::other)?;
    socket.write_all(&length.to_le_bytes())?;
    socket.write_all(&answer)
}

/// Makes them this process's own.
fn take(standard: Option<[OwnedFd; 3]>) -> io::Result<()> {
    let Some([input, output, error]) = standard else {
        return Ok(());
    };
    dup2_stdin(&input)?;
    dup2_stdout(&output)?;
    dup2_stderr(&error)?;
    Ok(())
}
