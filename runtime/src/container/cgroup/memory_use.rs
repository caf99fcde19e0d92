//! What a container took of memory, and what the kernel did for want of it.

use std::fs;
use std::path::Path;

use super::placement::{Place, Placement};
use super::stats::{named, number};

/// What is asked for at once, at most: a peak that is so near to the limit had reached it, bytes.
const NEARLY: u64 = 2 << 20;

/// What the memory controller has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::container) struct MemoryUse {
    /// The most that was in use at once, in bytes, with the page cache. `None` where nothing counts it: no
    /// controller, or version 2 before Linux 5.19.
    pub peak: Option<u64>,
    /// How many of its processes the kernel killed for want of memory, the container's or the host's.
    pub killed: u64,
    /// Whether the container's own limit was in the way.
    pub is_limit_reached: bool,
}

impl Placement {
    /// What the container's cgroup has counted, as long as it is there. What can't be read is not counted, nor what
    /// was killed in it before it was the container's.
    pub(in crate::container) fn memory_use(&self) -> MemoryUse {
        let Some(place) = self.place_of("memory") else {
            return MemoryUse::default();
        };
        let counted = if self.is_unified() {
            unified(&place.directory)
        } else {
            version_1(&place.directory)
        };
        MemoryUse {
            killed: counted.killed.saturating_sub(self.kills_before()),
            ..counted
        }
    }

    /// Whether the kernel has killed one of its processes for want of memory, as [`Self::memory_use`] counts them.
    pub(in crate::container) fn was_out_of_memory(&self) -> bool {
        self.place_of("memory").is_some_and(|place| {
            let file = events_file(self.is_unified());
            killed(&place.directory, file) > self.kills_before()
        })
    }

    /// Has the peak of memory counted from now on, where the kernel can and nobody else counts with it.
    pub(in crate::container) fn forget_peak(&self) {
        let is_own = |place: &&Place| self.owns(place);
        if let Some(place) = self.holder("memory").filter(is_own) {
            let _ = fs::write(place.directory.join("memory.max_usage_in_bytes"), "0");
        }
    }
}

/// What is killed below it is counted as well.
fn unified(directory: &Path) -> MemoryUse {
    let events = named(directory, events_file(true)).unwrap_or_default();
    let count = |name| events.get(name).copied().unwrap_or(0);
    MemoryUse {
        peak: peak(directory, "memory.peak"),
        killed: count("oom_kill"),
        is_limit_reached: count("oom") > 0,
    }
}

/// What is killed below it is not counted.
fn version_1(directory: &Path) -> MemoryUse {
    let read = |file: &str| number(directory, file).unwrap_or(0);
    // `failcnt` stays zero in newer kernels; the peak then tells.
    let is_limit_reached = ["memory.", "memory.memsw."].iter().any(|prefix| {
        let read = |what| read(&format!("{prefix}{what}"));
        let limit = read("limit_in_bytes");
        let peak = read("max_usage_in_bytes");
        read("failcnt") > 0 || limit > 0 && peak.saturating_add(NEARLY) >= limit
    });
    MemoryUse {
        peak: peak(directory, "memory.max_usage_in_bytes"),
        killed: killed(directory, events_file(false)),
        is_limit_reached,
    }
}

/// Where the kernel counts whom it killed.
fn events_file(is_unified: bool) -> &'static str {
    if is_unified {
        "memory.events"
    } else {
        "memory.oom_control"
    }
}

fn killed(directory: &Path, file: &str) -> u64 {
    let events = named(directory, file).unwrap_or_default();
    events.get("oom_kill").copied().unwrap_or(0)
}

/// A file that isn't there reads as zero, and no process runs in nothing.
fn peak(directory: &Path, file: &str) -> Option<u64> {
    number(directory, file).ok().filter(|bytes| *bytes > 0)
}
