//! Learning that the kernel ended a process of a container for want of memory.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::super::{Error, Result};
use super::placement::Placement;
use crate::kernel_file;

/// Becomes readable when it has happened, perhaps.
#[derive(Debug)]
pub struct OutOfMemory(Watched);

#[derive(Debug)]
enum Watched {
    /// Version 1 counts into a descriptor, once more when the cgroup is removed.
    Counted { counter: OwnedFd, control: PathBuf },
    /// Version 2 changes a file.
    Changed {
        changes: OwnedFd,
        events: PathBuf,
        kills: u64,
    },
}

/// Whether it has happened in a cgroup that is gone as soon as its last process is: systemd removes its units', and
/// what was counted in them can't be read any more when the command has ended.
#[derive(Debug)]
pub(in crate::container) struct Remembered {
    watched: OutOfMemory,
    has_happened: bool,
}

impl Remembered {
    /// Looks again.
    pub(in crate::container) fn look(&mut self) {
        self.has_happened |= self.watched.has_happened();
    }

    pub(in crate::container) fn has_happened(&self) -> bool {
        self.has_happened
    }
}

impl AsFd for Remembered {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watched.as_fd()
    }
}

impl Placement {
    /// Remembers it from now on, where it may not be there to be read later. Not with version 1, which tells of it
    /// before anybody is killed, and where nobody is because the killer is switched off.
    pub(in crate::container) fn remember_out_of_memory(&self) -> Option<Remembered> {
        self.unit().filter(|_| self.is_unified())?;
        // A host that counts none kills none for it either.
        let watched = self.out_of_memory().ok()?;
        Some(Remembered {
            watched,
            has_happened: false,
        })
    }

    /// Waits for it from now on.
    ///
    /// # Errors
    /// Where memory isn't counted, or the kernel refuses.
    pub fn out_of_memory(&self) -> Result<OutOfMemory> {
        let place = self.place_of("memory").ok_or_else(|| {
            Error::unsupported(
                "waiting for want of memory",
                "the container has no cgroup that counts memory",
            )
        })?;
        let directory = &place.directory;
        let begun = if self.is_unified() {
            changed(directory)
        } else {
            counted(directory)
        };
        begun
            .map(OutOfMemory)
            .map_err(Error::io("wait for events of", directory))
    }
}

/// Kernel documentation, cgroup-v1/memory, "OOM Control".
fn counted(directory: &Path) -> io::Result<Watched> {
    let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let source = File::open(directory.join("memory.oom_control"))?;
    let control = directory.join("cgroup.event_control");
    let line = format!("{} {}", counter.as_raw_fd(), source.as_raw_fd());
    fs::write(&control, line)?;
    Ok(Watched::Counted { counter, control })
}

fn changed(directory: &Path) -> io::Result<Watched> {
    let events = directory.join("memory.events");
    let changes = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(&changes, &events, WatchFlags::MODIFY)?;
    let kills = count_kills(&events);
    Ok(Watched::Changed {
        changes,
        events,
        kills,
    })
}

/// How many processes were killed.
fn count_kills(events: &Path) -> u64 {
    let text = kernel_file::read(events).unwrap_or_default();
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

impl OutOfMemory {
    /// Whether it has happened since the last question.
    pub fn has_happened(&mut self) -> bool {
        let mut told = [0; 4096];
        let has_told = rustix::io::read(self.as_fd(), &mut told).is_ok_and(|length| length > 0);
        match &mut self.0 {
            Watched::Counted { control, .. } => has_told && control.exists(),
            // The counter tells, and not that something was written: other counts are in the file too.
            Watched::Changed { events, kills, .. } => {
                let before = std::mem::replace(kills, count_kills(events));
                *kills > before
            }
        }
    }
}

impl OutOfMemory {
    /// Whether the cgroup is gone: then it will never happen.
    pub fn is_over(&self) -> bool {
        match &self.0 {
            Watched::Counted { control, .. } => !control.exists(),
            Watched::Changed { events, .. } => !events.exists(),
        }
    }
}

impl AsFd for OutOfMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Watched::Counted { counter, .. } => counter.as_fd(),
            Watched::Changed { changes, .. } => changes.as_fd(),
        }
    }
}
