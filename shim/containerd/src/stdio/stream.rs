//! One direction of a process's standard streams.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, read, write};

use super::open::{Input, Output};
use super::unread::{has_reader, unread};

/// What a pipe holds at most, unless root made it larger: more than this was written after the process's end.
const MOST: u64 = 1 << 20;

/// How long to wait for whoever has a FIFO open and reads nothing of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// From where to where, and what is on its way.
#[derive(Debug)]
pub struct Stream {
    from: OwnedFd,
    /// Of input, `holder` is the other end of `from`.
    to: Output,
    is_input: bool,
    waiting: Vec<u8>,
    has_ended: bool,
    /// Bytes so far.
    given: u64,
    after_end: Option<AfterEnd>,
    is_read: bool,
    /// How many bytes had been given, and not read, and since when it is so.
    looked: Option<(u64, u64, Instant)>,
}

/// What there is of an output that a process has left, which has ended.
#[derive(Debug, Clone, Copy)]
enum AfterEnd {
    /// There may be more in its pipe; so many bytes had been given when it ended.
    Taking(u64),
    /// All that it wrote has been given, with which there were so many bytes.
    Given(u64),
}

impl Stream {
    /// To a process.
    pub fn of_input(input: Input, to: OwnedFd) -> Self {
        let to = Output {
            to,
            holder: input.holder,
        };
        Self::new(input.from, to, true)
    }

    /// From a process.
    pub fn of_output(from: OwnedFd, to: Output) -> Self {
        Self::new(from, to, false)
    }

    fn new(from: OwnedFd, to: Output, is_input: bool) -> Self {
        Self {
            from,
            to,
            is_input,
            waiting: vec![],
            has_ended: false,
            given: 0,
            after_end: None,
            is_read: is_input,
            looked: None,
        }
    }

    /// Whether it goes to the process.
    pub fn is_input(&self) -> bool {
        self.is_input
    }

    /// Lets the input end with its last writer.
    pub fn let_go(&mut self) {
        if self.is_input {
            self.to.holder = None;
        }
    }

    /// What has to happen next; for an output that has ended, nothing that the kernel would tell.
    pub fn poll_fd(&self) -> PollFd<'_> {
        if !self.waiting.is_empty() {
            PollFd::new(&self.to.to, PollFlags::OUT)
        } else if self.has_ended {
            PollFd::new(&self.to.to, PollFlags::empty())
        } else {
            PollFd::new(&self.from, PollFlags::IN)
        }
    }

    /// Moves what there is, by way of `space`; `false` where that can't go on.
    pub fn turn(&mut self, space: &mut [u8]) -> bool {
        let takes = self.waiting.is_empty() && !self.has_ended;
        let is_empty = takes && !self.take(space);
        if self.give().is_err() {
            return false;
        }
        if let Some(AfterEnd::Taking(before)) = self.after_end {
            let is_given = self.waiting.is_empty() && (is_empty || self.has_ended);
            if is_given || self.given - before > MOST {
                self.after_end = Some(AfterEnd::Given(self.given));
            }
        }
        !(self.is_input && self.is_finished())
    }

    /// Whether it may have something that no poll tells of: what a process that has ended left in its pipe.
    pub fn may_have_more(&self) -> bool {
        matches!(self.after_end, Some(AfterEnd::Taking(_))) && self.waiting.is_empty()
    }

    /// The process has ended; others may have its output yet.
    pub fn process_has_ended(&mut self) {
        if self.after_end.is_none() {
            self.after_end = Some(AfterEnd::Taking(self.given));
        }
    }

    /// Whether there will be no more of it, and what there was has been given.
    fn is_finished(&self) -> bool {
        self.has_ended && self.waiting.is_empty()
    }

    /// Whether nothing more is to be done for it.
    pub fn is_over(&self) -> bool {
        self.is_finished() && self.is_read
    }

    /// Whether it waits for who reads, of which the kernel tells nothing.
    pub fn waits_for_reader(&self) -> bool {
        !self.is_read && (self.is_finished() || self.after_end.is_some())
    }

    /// Whether what an ended process wrote has all been read, or nobody is there to.
    pub fn is_read(&self) -> bool {
        self.is_read
    }

    /// Looks for who reads, at `now`.
    pub fn look(&mut self, now: Instant) {
        let unread = unread(&self.to);
        // It is read in the order in which it was given.
        let since = match self.after_end {
            Some(AfterEnd::Given(before)) => Some(self.given - before),
            _ => self.is_finished().then_some(0),
        };
        let is_left = unread > 0 || !self.waiting.is_empty();
        self.is_read = since.is_some_and(|since| unread <= since)
            || is_left && (self.is_stuck(unread, now) || !has_reader(&mut self.to));
    }

    fn is_stuck(&mut self, unread: u64, now: Instant) -> bool {
        match self.looked {
            Some((given, before, since)) if (given, before) == (self.given, unread) => {
                now.duration_since(since) > PATIENCE
            }
            _ => {
                self.looked = Some((self.given, unread, now));
                false
            }
        }
    }

    /// Whether there was anything to take, its end included.
    fn take(&mut self, space: &mut [u8]) -> bool {
        match read(&self.from, &mut *space) {
            Ok(0) => self.has_ended = true,
            Ok(length) => self
                .waiting
                .extend_from_slice(space.get(..length).unwrap_or_default()),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return false,
            // A terminal says EIO when nobody has its other end.
            Err(_) => self.has_ended = true,
        }
        true
    }

    fn give(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match write(&self.to.to, &self.waiting) {
                Ok(length) => {
                    self.waiting.drain(..length);
                    self.given += u64::try_from(length).unwrap_or_default();
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::super::open::output;
    use super::*;

    #[test]
    fn whoever_reads_nothing_is_waited_for_a_while_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let to = output(path.to_str().unwrap()).unwrap().unwrap();
        let _reader = File::open(&path).unwrap();
        let mut from = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut from, b"words").unwrap();
        io::Seek::rewind(&mut from).unwrap();
        let mut stream = Stream::of_output(from.into(), to);
        stream.process_has_ended();
        while stream.may_have_more() {
            assert!(stream.turn(&mut [0; 2]));
        }
        let now = Instant::now();
        stream.look(now);
        stream.look(now + PATIENCE);
        assert!(stream.waits_for_reader());
        stream.look(now + PATIENCE * 2);
        assert!(stream.is_over());
    }

    #[test]
    fn others_who_write_without_end_are_not_waited_for() {
        let to = output("/dev/null").unwrap().unwrap();
        let mut stream = Stream::of_output(File::open("/dev/zero").unwrap().into(), to);
        stream.process_has_ended();
        let mut space = vec![0; 64 << 10];
        for _ in 0..20 {
            assert!(stream.turn(&mut space));
        }
        stream.look(Instant::now());
        assert!(stream.is_read() && !stream.is_over());
    }
}
