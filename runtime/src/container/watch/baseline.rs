//! What a created process is before it is started: what was counted of it, and how to learn of more.

use std::path::Path;

use super::super::Result;
use super::super::cgroup::{Counters, OutOfMemory, Placement, RefusedForks};
use super::scratch::Scratch;

/// Taken of a process that waits to be started, at any time: nothing of it changes meanwhile.
#[derive(Debug)]
pub(in crate::container) struct Baseline {
    pub(super) cgroup: Placement,
    pub(super) out_of_memory: Option<OutOfMemory>,
    pub(super) refused_forks: Option<RefusedForks>,
    pub(super) scratch: Option<Scratch>,
    pub(super) counters: Counters,
    pub(super) processors: u32,
}

impl Baseline {
    /// That of the created process `pid`. `scratch` is its temporary directory.
    ///
    /// # Errors
    /// Where the temporary directory can't be opened. What a host doesn't count isn't limited.
    pub(in crate::container) fn take(
        pid: i32,
        cgroup: &Placement,
        scratch: Option<&Path>,
    ) -> Result<Self> {
        cgroup.forget_peak();
        Ok(Self {
            out_of_memory: cgroup.out_of_memory().ok(),
            refused_forks: cgroup.refused_forks(),
            scratch: scratch.map(|path| Scratch::open(pid, path)).transpose()?,
            counters: cgroup.counters(),
            cgroup: cgroup.clone(),
            processors: std::thread::available_parallelism()
                .map_or(1, |count| u32::try_from(count.get()).unwrap_or(1)),
        })
    }
}
