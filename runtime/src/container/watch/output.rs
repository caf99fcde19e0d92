//! Between a command's standard output and the caller's: counts what goes through, and stops at a limit.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::fstat;
use rustix::pipe::{PipeFlags, pipe_with};

use super::super::supervise::Signals;
use super::super::{Error, Result};
use super::Printed;

/// What is read at a time: what a pipe holds.
const PIECE: usize = 64 << 10;

/// The pipes of one command.
#[derive(Debug)]
pub(in crate::container) struct Pump {
    /// Which of our own descriptors each one leads to.
    pipes: Vec<Pipe>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Pipe {
    /// Ours; `None` when a thread reads it.
    reading: Option<OwnedFd>,
    /// The command's, one for each of its own descriptors; none when only the command has them.
    writing: Vec<OwnedFd>,
    /// 1 or 2.
    leads_to: RawFd,
}

#[derive(Debug)]
struct Shared {
    /// What may still go through.
    left: AtomicU64,
    passed: AtomicU64,
    /// Whether what is beyond is read and dropped, for the command to go on.
    drops: bool,
    is_truncated: AtomicBool,
    running: AtomicUsize,
    /// Readable when the limit is reached, and when all is passed on.
    news: OwnedFd,
}

impl Pump {
    /// Makes the pipes, for `limit` bytes; with `drops`, what is beyond is dropped, and else stays unread. Where standard output and standard error are one file, the command
    /// gets one pipe for both, so that what it prints stays in order.
    pub(in crate::container) fn new(limit: Option<u64>, drops: bool) -> Result<Self> {
        Self::with(limit, drops, is_one_file())
    }

    /// Likewise, with a pipe for each of the two, whatever they are by now.
    pub(in crate::container) fn of_two(limit: Option<u64>, drops: bool) -> Result<Self> {
        Self::with(limit, drops, false)
    }

    fn with(limit: Option<u64>, drops: bool, is_one: bool) -> Result<Self> {
        let failed = "make a pipe for the command's output";
        let make = |leads_to| -> Result<Pipe> {
            let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).map_err(Error::step(failed))?;
            Ok(Pipe {
                reading: Some(reading),
                writing: vec![writing],
                leads_to,
            })
        };
        let mut pipes = vec![make(1)?];
        match pipes.first_mut() {
            // Whoever takes them closes each.
            Some(first) if is_one => {
                let again = first.writing.first().map(OwnedFd::try_clone).transpose();
                first.writing.extend(again.map_err(Error::step(failed))?);
            }
            _ => pipes.push(make(2)?),
        }
        let news = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(Error::step(failed))?;
        let running = AtomicUsize::new(0);
        Ok(Self {
            pipes,
            shared: Arc::new(Shared {
                left: AtomicU64::new(limit.unwrap_or(u64::MAX)),
                passed: AtomicU64::new(0),
                drops,
                is_truncated: AtomicBool::new(false),
                running,
                news,
            }),
        })
    }

    /// Sets another limit, as long as nothing is passed on.
    pub(in crate::container) fn limit(&self, limit: Option<u64>) {
        let left = limit.unwrap_or(u64::MAX);
        self.shared.left.store(left, Ordering::SeqCst);
    }

    /// What the command gets as its standard output and standard error.
    pub(in crate::container) fn ends(&self) -> Option<(RawFd, RawFd)> {
        let mut all = self.pipes.iter().flat_map(|pipe| &pipe.writing);
        Some((all.next()?.as_raw_fd(), all.next()?.as_raw_fd()))
    }

    /// Begins to pass on. Only when this process forks no more, and when the command has its ends.
    pub(in crate::container) fn begin(&mut self) -> Result<()> {
        for pipe in &mut self.pipes {
            pipe.writing.clear();
            let Some(reading) = pipe.reading.take() else {
                continue;
            };
            let own = match pipe.leads_to {
                1 => io::stdout().as_fd().try_clone_to_owned(),
                _ => io::stderr().as_fd().try_clone_to_owned(),
            };
            let own = own.map_err(Error::step("copy a descriptor for the command's output"))?;
            let shared = Arc::clone(&self.shared);
            shared.running.fetch_add(1, Ordering::SeqCst);
            thread::Builder::new()
                .name("output".to_owned())
                .spawn(move || {
                    shared.pass_on(File::from(reading), File::from(own));
                    shared.running.fetch_sub(1, Ordering::SeqCst);
                    shared.tell();
                })
                .map_err(Error::step("make a thread for the command's output"))?;
        }
        Ok(())
    }

    /// Readable when there is something to look at.
    pub(in crate::container) fn news(&self) -> BorrowedFd<'_> {
        self.shared.news.as_fd()
    }

    /// Whether the command printed more than it may.
    pub(in crate::container) fn is_truncated(&self) -> bool {
        let _ = rustix::io::read(&self.shared.news, &mut [0; 8]);
        self.shared.is_truncated.load(Ordering::SeqCst)
    }

    /// Waits until the caller has got all that the ended command printed, or doesn't want it: a signal that
    /// would have ended the command ends the waiting. Whether it printed more than it may is told besides.
    pub(in crate::container) fn drain(mut self, signals: &Signals) -> Result<(Printed, bool)> {
        // Where the command was never started.
        for pipe in &mut self.pipes {
            pipe.writing.clear();
        }
        let mut is_unread = false;
        while self.shared.running.load(Ordering::SeqCst) > 0 {
            let mut waiting = [
                PollFd::new(&self.shared.news, PollFlags::IN),
                PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
            ];
            match poll(&mut waiting, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::step("wait for the command's output")(errno)),
            }
            let _ = rustix::io::read(&self.shared.news, &mut [0; 8]);
            let mut gave_up = false;
            while let Some(signal) = signals.next()? {
                gave_up |= super::super::supervise::ends_by_default(signal);
            }
            if gave_up {
                is_unread = true;
                break;
            }
        }
        let is_exceeded = self.shared.is_truncated.load(Ordering::SeqCst);
        let printed = Printed {
            bytes: self.shared.passed.load(Ordering::SeqCst),
            is_truncated: is_exceeded || is_unread,
        };
        Ok((printed, is_exceeded))
    }
}

/// Whether our own standard output and standard error are the same.
fn is_one_file() -> bool {
    let stat = |descriptor| {
        let stat = fstat(descriptor).ok()?;
        Some((stat.st_dev, stat.st_ino))
    };
    let both = (stat(io::stdout().as_fd()), stat(io::stderr().as_fd()));
    matches!(both, (Some(one), Some(other)) if one == other)
}

impl Shared {
    fn tell(&self) {
        let _ = rustix::io::write(&self.news, &1_u64.to_ne_bytes());
    }

    /// Passes on until the command's end, the limit, or until the caller has gone: a command that prints on
    /// gets SIGPIPE then, as it would without a pipe in between.
    fn pass_on(&self, from: File, mut to: File) {
        // Not cleared before: nearly nobody prints so much at a time.
        let mut piece = Vec::with_capacity(PIECE);
        loop {
            piece.clear();
            let length = match rustix::io::read(&from, spare_capacity(&mut piece)) {
                Ok(0) => return,
                Ok(length) => length,
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
            };
            let granted = self.take(length);
            let Some(text) = piece.get(..granted) else {
                return;
            };
            if write_all(&mut to, text).is_err() {
                return;
            }
            self.passed.fetch_add(granted as u64, Ordering::SeqCst);
            if granted < length {
                self.is_truncated.store(true, Ordering::SeqCst);
                self.tell();
                if !self.drops {
                    return;
                }
            }
        }
    }

    /// How many of `length` bytes may go through.
    fn take(&self, length: usize) -> usize {
        let wanted = length as u64;
        let before = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                Some(left.saturating_sub(wanted))
            });
        let granted = before.unwrap_or(0).min(wanted);
        usize::try_from(granted).unwrap_or(length)
    }
}

/// The caller's file may have been made non-blocking by the caller.
fn write_all(to: &mut File, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match to.write(text) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => text = text.get(length..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(to, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(limit: u64) -> Shared {
        Shared {
            left: AtomicU64::new(limit),
            passed: AtomicU64::new(0),
            drops: true,
            is_truncated: AtomicBool::new(false),
            running: AtomicUsize::new(0),
            news: eventfd(0, EventfdFlags::NONBLOCK).unwrap(),
        }
    }

    fn passed(limit: u64, text: &[u8]) -> (Vec<u8>, bool) {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        std::fs::write(&from, text).unwrap();
        let shared = shared(limit);
        shared.pass_on(File::open(&from).unwrap(), File::create(&to).unwrap());
        let is_truncated = shared.is_truncated.load(Ordering::SeqCst);
        (std::fs::read(&to).unwrap(), is_truncated)
    }

    #[test]
    fn as_much_as_may_goes_through_and_the_rest_is_told() {
        let text: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        assert_eq!(passed(u64::MAX, &text), (text.clone(), false));
        assert_eq!(passed(200_000, &text), (text.clone(), false));
        assert_eq!(passed(199_999, &text), (text[..199_999].to_vec(), true));
        assert_eq!(passed(70_000, &text), (text[..70_000].to_vec(), true));
        assert_eq!(passed(0, b"x"), (vec![], true));
        assert_eq!(passed(0, b""), (vec![], false));
    }
}
