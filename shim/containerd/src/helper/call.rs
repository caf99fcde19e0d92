//! Having a worker do an operation, from the shim's side.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::descriptors::{self, Descriptors};
use super::{Current, Helper};
use crate::worker::{Answer, Failure, Request};

/// Why no answer came.
enum Missing {
    /// The helper is gone, and no worker was made.
    Helper,
    /// The worker is gone; what it did, it did.
    Worker(io::Error),
}

impl Helper {
    /// Has a worker do what `request` says, and waits for its answer.
    ///
    /// # Errors
    /// What the worker says; that it was killed.
    pub fn call(&self, request: &Request, descriptors: Descriptors) -> Result<Answer, Failure> {
        let text = serde_json::to_vec(request).map_err(Failure::unknown)?;
        let current = self.current();
        let answer = match current.ask(&text, &descriptors) {
            Err(Missing::Helper) => {
                self.replace(&current);
                self.current().ask(&text, &descriptors)
            }
            other => other,
        };
        match answer {
            Ok(answer) => serde_json::from_slice::<Result<Answer, Failure>>(&answer)
                .map_err(Failure::unknown)?,
            Err(Missing::Helper) => Err(Failure::unknown("no worker could be made")),
            Err(Missing::Worker(error)) => Err(Failure::unknown(format!(
                "the worker ended without an answer: {error}"
            ))),
        }
    }
}

impl Current {
    fn ask(&self, request: &[u8], descriptors: &Descriptors) -> Result<Vec<u8>, Missing> {
        let (mut ours, theirs) = UnixStream::pair().map_err(Missing::Worker)?;
        descriptors::send(&self.control, theirs.as_fd(), descriptors)
            .map_err(|_| Missing::Helper)?;
        drop(theirs);
        let mut pid = [0; 4];
        ours.read_exact(&mut pid).map_err(|_| Missing::Helper)?;
        ours.write_all(request)
            .and_then(|()| ours.shutdown(Shutdown::Write))
            .and_then(|()| read_answer(ours, i32::from_le_bytes(pid)))
            .map_err(Missing::Worker)
    }
}

/// End of file alone wouldn't tell of the worker's end: a container's process that it made may have the socket until
/// it executes its command.
fn read_answer(mut socket: UnixStream, worker: i32) -> io::Result<Vec<u8>> {
    let worker = Pid::from_raw(worker);
    // The worker is this process's child: while it isn't reaped, its pid is its own. After that, it has answered or
    // it never will.
    let process = worker.and_then(|worker| pidfd_open(worker, PidfdFlags::empty()).ok());
    if !is_readable(&socket, process.as_ref())? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
    let mut answer = vec![0; length];
    socket.read_exact(&mut answer)?;
    Ok(answer)
}

/// Whether an answer has come when the worker has ended, or before.
fn is_readable(socket: &UnixStream, worker: Option<&OwnedFd>) -> io::Result<bool> {
    if let Some(worker) = worker {
        loop {
            let mut waiting = [
                PollFd::new(socket, PollFlags::IN),
                PollFd::new(worker, PollFlags::IN),
            ];
            match poll(&mut waiting, None) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    let mut waiting = [PollFd::new(socket, PollFlags::IN)];
    let at_once = Timespec::default();
    Ok(poll(&mut waiting, Some(&at_once))? > 0)
}
