//! Learning that the kernel refused a container a process because of its limit.
//!
//! Version 2 tells of it by a change of the file with the count. Version 1 has the count and tells nobody.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::placement::Placement;
use super::stats::named;

const EVENTS: &str = "pids.events";

/// How to learn of it.
#[derive(Debug)]
pub(in crate::container) struct RefusedForks {
    /// Becomes readable when it has happened, perhaps; none where nobody tells.
    changes: Option<OwnedFd>,
    directory: PathBuf,
    count: u64,
}

impl Placement {
    /// Waits for it from now on; `None` where processes aren't counted.
    pub(in crate::container) fn refused_forks(&self) -> Option<RefusedForks> {
        let directory = &self.place_of("pids")?.directory;
        let changes = match self.is_unified() {
            true => Some(changes_of(&directory.join(EVENTS)).ok()?),
            false => None,
        };
        Some(RefusedForks {
            changes,
            count: count(directory),
            directory: directory.clone(),
        })
    }

    /// How often it has happened so far.
    pub(super) fn count_refused_forks(&self) -> u64 {
        let place = self.place_of("pids");
        place.map_or(0, |place| count(&place.directory))
    }
}

fn changes_of(file: &Path) -> rustix::io::Result<OwnedFd> {
    let changes = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(&changes, file, WatchFlags::MODIFY)?;
    Ok(changes)
}

/// `max 3`, in both versions.
fn count(directory: &Path) -> u64 {
    let events = named(directory, EVENTS).unwrap_or_default();
    events.get("max").copied().unwrap_or(0)
}

impl RefusedForks {
    /// Whether its descriptor becomes readable; otherwise the question has to be asked again and again.
    pub(in crate::container) fn is_told(&self) -> bool {
        self.changes.is_some()
    }

    /// That descriptor.
    pub(in crate::container) fn news(&self) -> Option<BorrowedFd<'_>> {
        self.changes.as_ref().map(AsFd::as_fd)
    }

    /// Whether it has happened since the last question.
    pub(in crate::container) fn has_happened(&mut self) -> bool {
        if let Some(changes) = &self.changes {
            let mut told = [0; 4096];
            if !rustix::io::read(changes, &mut told).is_ok_and(|length| length > 0) {
                return false;
            }
        }
        let before = std::mem::replace(&mut self.count, count(&self.directory));
        self.count > before
    }
}
