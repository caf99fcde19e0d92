//! Waiting for whoever wants something.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How soon a keeper that nobody needs tries again to end, where somebody is at its lock.
pub(crate) const SOON: Duration = Duration::from_millis(20);

/// What there is to be read.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Somebody comes.
    pub(crate) listener: bool,
    /// The places of the connections that say something, or have ended.
    pub(crate) connections: Vec<usize>,
}

/// Waits until there is anything, or for so long.
///
/// # Errors
/// Those of poll(2).
pub(crate) fn wait<'a>(
    listener: &'a OwnedFd,
    connections: impl Iterator<Item = &'a OwnedFd>,
    limit: Option<Duration>,
) -> io::Result<Ready> {
    let mut waiting: Vec<PollFd<'_>> = std::iter::once(listener)
        .chain(connections)
        .map(|descriptor| PollFd::new(descriptor, PollFlags::IN))
        .collect();
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(&mut waiting, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let mut ready = waiting.iter().map(|one| !one.revents().is_empty());
    Ok(Ready {
        listener: ready.next().unwrap_or(false),
        connections: ready
            .enumerate()
            .filter_map(|(place, is_ready)| is_ready.then_some(place))
            .collect(),
    })
}
