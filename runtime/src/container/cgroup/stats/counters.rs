//! The few counters by which a command is held to its limits, and a report is made.

use std::fs;
use std::time::Duration;

use super::super::placement::Placement;
use super::files::{named, number};

/// What is asked for at once, at most: a peak that is so near to the limit had reached it, bytes.
const NEARLY: u64 = 2 << 20;

/// What the kernel has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::container) struct Counters {
    /// Processor time of all processes; absent where nobody counts it.
    pub cpu: Option<Duration>,
    /// Of that, in their own code.
    user: Duration,
    /// Of that, in the kernel; both in coarser steps with version 1.
    system: Duration,
    /// The most memory at a time, bytes.
    pub peak_memory: Option<u64>,
    /// Whether the memory limit was in the way.
    is_limit_reached: bool,
    /// Processes killed for want of memory, the host's included.
    kills: u64,
    /// Processes and threads that were refused.
    pub refused_forks: u64,
}

impl Placement {
    /// Reads them. What a host doesn't count is zero or absent.
    pub(in crate::container) fn counters(&self) -> Counters {
        let memory = self.memory_use();
        let mut counters = Counters {
            peak_memory: memory.peak,
            kills: memory.killed,
            refused_forks: self.count_refused_forks(),
            ..Counters::default()
        };
        if self.is_unified() {
            self.count_unified(&mut counters);
        } else {
            self.count_version_1(&mut counters);
        }
        counters
    }

    fn count_unified(&self, counters: &mut Counters) {
        let Some(directory) = self.unified().map(|place| &place.directory) else {
            return;
        };
        let times = named(directory, "cpu.stat").unwrap_or_default();
        let time = |name| times.get(name).copied().map(Duration::from_micros);
        counters.cpu = time("usage_usec");
        counters.user = time("user_usec").unwrap_or_default();
        counters.system = time("system_usec").unwrap_or_default();
        let events = named(directory, "memory.events").unwrap_or_default();
        let count = |name| events.get(name).copied().unwrap_or(0);
        counters.is_limit_reached = count("oom") > 0;
    }

    fn count_version_1(&self, counters: &mut Counters) {
        if let Some(place) = self.holder("cpuacct") {
            let total = number(&place.directory, "cpuacct.usage").ok();
            counters.cpu = total.map(Duration::from_nanos);
            let ticks = named(&place.directory, "cpuacct.stat").unwrap_or_default();
            // USER_HZ is 100 on every architecture of ours.
            let time = |name| Duration::from_millis(ticks.get(name).copied().unwrap_or(0) * 10);
            counters.user = time("user");
            counters.system = time("system");
        }
        if let Some(place) = self.holder("memory") {
            let read = |file: &str| number(&place.directory, file).unwrap_or(0);
            // `failcnt` stays zero in newer kernels; the peak then tells.
            counters.is_limit_reached = ["memory.", "memory.memsw."].iter().any(|prefix| {
                let read = |what| read(&format!("{prefix}{what}"));
                let limit = read("limit_in_bytes");
                let peak = read("max_usage_in_bytes");
                read("failcnt") > 0 || limit > 0 && peak.saturating_add(NEARLY) >= limit
            });
        }
    }

    /// Has the peak of memory counted from now on, where the kernel can.
    pub(in crate::container) fn forget_peak(&self) {
        if let Some(place) = self.holder("memory") {
            let _ = fs::write(place.directory.join("memory.max_usage_in_bytes"), "0");
        }
    }
}

impl Counters {
    /// Whether a process was killed because the container's own limit was reached: where it was the host that
    /// had no more, the limit never was in the way.
    pub(in crate::container) fn is_out_of_memory(&self) -> bool {
        self.kills > 0 && self.is_limit_reached
    }

    /// The time in the processes' own code and in the kernel since `before`: the whole as exactly as it is known,
    /// divided as the coarser counters have it.
    pub(in crate::container) fn since(&self, before: &Self) -> Option<(Duration, Duration)> {
        let total = self.cpu?.saturating_sub(before.cpu.unwrap_or_default());
        let user = self.user.saturating_sub(before.user);
        let system = self.system.saturating_sub(before.system);
        let sum = (user + system).as_secs_f64();
        let share = if sum > 0.0 {
            system.as_secs_f64() / sum
        } else {
            0.0
        };
        let system = total.mul_f64(share.clamp(0.0, 1.0)).min(total);
        Some((total.saturating_sub(system), system))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(total: u64, user: u64, system: u64) -> Counters {
        Counters {
            cpu: Some(Duration::from_millis(total)),
            user: Duration::from_millis(user),
            system: Duration::from_millis(system),
            ..Counters::default()
        }
    }

    #[test]
    fn the_exact_whole_is_divided_as_the_coarse_parts_are() {
        let before = counters(7, 0, 10);
        let split = |after: Counters| {
            let (user, system) = after.since(&before).unwrap();
            (user.as_millis(), system.as_millis())
        };
        assert_eq!(split(counters(1007, 750, 260)), (750, 250));
        assert_eq!(split(counters(8, 0, 10)), (1, 0));
        assert_eq!(split(counters(6, 0, 0)), (0, 0));
        assert_eq!(Counters::default().since(&before), None);
    }

    #[test]
    fn a_kill_counts_only_where_the_own_limit_was_reached() {
        let of = |kills, is_limit_reached| Counters {
            kills,
            is_limit_reached,
            ..Counters::default()
        };
        assert!(of(1, true).is_out_of_memory());
        assert!(!of(0, true).is_out_of_memory());
        assert!(!of(1, false).is_out_of_memory());
    }
}
