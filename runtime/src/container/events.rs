//! Telling what a container uses, again and again, and what happens to it.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::cgroup::Stats;
use super::process;
use super::snapshot::{Snapshot, Status};
use super::{Error, Result};

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What it uses now.
    Stats(Box<Stats>),
    /// The kernel ended a process of it for want of memory.
    OutOfMemory,
}

/// What the container uses now.
///
/// # Errors
/// [`Error::WrongStatus`] where nothing runs; where it can't be counted.
pub fn stats(container: &Snapshot) -> Result<Stats> {
    let status = container.status();
    if matches!(status, Status::Creating | Status::Stopped) {
        return Err(Error::WrongStatus {
            id: container.id.clone(),
            wanted: "running",
            status,
        });
    }
    container.cgroup.stats()
}

/// Calls `tell` with what the container uses, each `interval`, and with what happens to it, until it stops,
/// or nobody reads standard output any more.
///
/// # Errors
/// As [`stats`]; what `tell` says.
pub fn events<E: From<Error>>(
    container: &Snapshot,
    interval: Duration,
    mut tell: impl FnMut(Event) -> Result<(), E>,
) -> Result<(), E> {
    // Refused before anything is waited for.
    stats(container)?;
    let first = open_first(container)?;
    let mut out_of_memory = container.cgroup.out_of_memory()?;
    let stdout = std::io::stdout();
    let mut next = Instant::now() + interval;
    loop {
        let mut waiting = [
            PollFd::new(&first, PollFlags::IN),
            PollFd::from_borrowed_fd(out_of_memory.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty()),
        ];
        let left = next.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).ok();
        match poll(&mut waiting, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::step("wait for events")(errno).into()),
        }
        let has_ended = !waiting[0].revents().is_empty();
        let is_unread = waiting[2].revents().contains(PollFlags::ERR);
        if out_of_memory.has_happened() {
            tell(Event::OutOfMemory)?;
        }
        if has_ended || is_unread {
            return Ok(());
        }
        if Instant::now() >= next {
            next += interval;
            tell(Event::Stats(Box::new(container.cgroup.stats()?)))?;
        }
    }
}

fn open_first(container: &Snapshot) -> Result<OwnedFd> {
    let gone = || std::io::Error::from_raw_os_error(libc::ESRCH);
    let first = container.process.ok_or_else(gone);
    let opened = first.and_then(process::open);
    opened.map_err(Error::step("look at the container's process"))
}
