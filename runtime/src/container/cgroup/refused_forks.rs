//! Learning that the kernel refused a container a process because of its limit.
//!
//! Version 2 tells of it by a change of the file with the count. Version 1 has the count and tells nobody.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::placement::Placement;

/// Becomes readable when it has happened, perhaps.
#[derive(Debug)]
pub(in crate::container) struct RefusedForks {
    changes: OwnedFd,
    events: PathBuf,
    count: u64,
    is_told: bool,
}

impl Placement {
    /// Waits for it from now on; `None` where processes aren't counted.
    pub(in crate::container) fn refused_forks(&self) -> Option<RefusedForks> {
        let events = self.place_of("pids")?.directory.join("pids.events");
        let changes = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        inotify::add_watch(&changes, &events, WatchFlags::MODIFY).ok()?;
        Some(RefusedForks {
            changes,
            is_told: self.is_unified(),
            count: count(&events),
            events,
        })
    }

    /// How often it has happened so far.
    pub(super) fn count_refused_forks(&self) -> u64 {
        let place = self.place_of("pids");
        place.map_or(0, |place| count(&place.directory.join("pids.events")))
    }
}

/// `max 3`, in both versions.
fn count(events: &std::path::Path) -> u64 {
    let text = fs::read_to_string(events).unwrap_or_default();
    let count = text.lines().find_map(|line| line.strip_prefix("max "));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

impl RefusedForks {
    /// Whether its descriptor becomes readable; otherwise the question has to be asked again and again.
    pub(in crate::container) fn is_told(&self) -> bool {
        self.is_told
    }

    /// Whether it has happened since the last question.
    pub(in crate::container) fn has_happened(&mut self) -> bool {
        let mut told = [0; 4096];
        let has_told = rustix::io::read(&self.changes, &mut told).is_ok_and(|length| length > 0);
        if !has_told && self.is_told {
            return false;
        }
        let before = std::mem::replace(&mut self.count, count(&self.events));
        self.count > before
    }
}

impl AsFd for RefusedForks {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }
}
