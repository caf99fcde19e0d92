//! What a container took of memory, and what the kernel did for want of it.

use super::placement::Placement;
use super::stats::{named, number};

/// What the memory controller has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::container) struct MemoryUse {
    /// The most that was in use at once, in bytes, with the page cache. `None` where nothing counts it: no
    /// controller, or version 2 before Linux 5.19.
    pub peak: Option<u64>,
    /// How many of its processes the kernel killed for want of memory, the container's or the host's.
    pub killed: u64,
}

impl Placement {
    /// What the container's cgroup has counted, as long as it is there. What can't be read is not counted.
    pub(in crate::container) fn memory_use(&self) -> MemoryUse {
        let Some(place) = self.place_of("memory") else {
            return MemoryUse::default();
        };
        // On version 1 the count of processes killed is the cgroup's own, on version 2 with those below it.
        let (peak, events) = if self.is_unified() {
            ("memory.peak", "memory.events")
        } else {
            ("memory.max_usage_in_bytes", "memory.oom_control")
        };
        let events = named(&place.directory, events).unwrap_or_default();
        MemoryUse {
            // A file that isn't there reads as zero, and no process runs in nothing.
            peak: number(&place.directory, peak)
                .ok()
                .filter(|bytes| *bytes > 0),
            killed: events.get("oom_kill").copied().unwrap_or(0),
        }
    }
}
