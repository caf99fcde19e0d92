//! One direction of a process's standard streams.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, read, write};

use super::open::Input;

/// From where to where, and what is on its way.
#[derive(Debug)]
pub struct Stream {
    from: OwnedFd,
    to: OwnedFd,
    holder: Option<OwnedFd>,
    is_input: bool,
    waiting: Vec<u8>,
    has_ended: bool,
}

impl Stream {
    /// To a process.
    pub fn of_input(input: Input, to: OwnedFd) -> Self {
        Self {
            from: input.from,
            to,
            holder: input.holder,
            is_input: true,
            waiting: vec![],
            has_ended: false,
        }
    }

    /// From a process.
    pub fn of_output(from: OwnedFd, to: OwnedFd) -> Self {
        Self {
            from,
            to,
            holder: None,
            is_input: false,
            waiting: vec![],
            has_ended: false,
        }
    }

    /// Whether it goes to the process.
    pub fn is_input(&self) -> bool {
        self.is_input
    }

    /// Lets the input end with its last writer.
    pub fn let_go(&mut self) {
        self.holder = None;
    }

    /// What has to happen next.
    pub fn poll_fd(&self) -> PollFd<'_> {
        if self.waiting.is_empty() {
            PollFd::new(&self.from, PollFlags::IN)
        } else {
            PollFd::new(&self.to, PollFlags::OUT)
        }
    }

    /// Moves what there is, by way of `space`; `false` when it has ended.
    pub fn turn(&mut self, space: &mut [u8]) -> bool {
        if self.waiting.is_empty() && !self.has_ended {
            self.take(space);
        }
        let is_broken = self.give().is_err();
        let is_finished = self.has_ended && self.waiting.is_empty();
        !(is_broken || is_finished)
    }

    fn take(&mut self, space: &mut [u8]) {
        match read(&self.from, &mut *space) {
            Ok(0) => self.has_ended = true,
            Ok(length) => self
                .waiting
                .extend_from_slice(space.get(..length).unwrap_or_default()),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // A terminal says EIO when nobody has its other end.
            Err(_) => self.has_ended = true,
        }
    }

    fn give(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match write(&self.to, &self.waiting) {
                Ok(length) => drop(self.waiting.drain(..length)),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}
