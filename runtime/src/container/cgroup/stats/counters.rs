//! The few counters by which a command is held to its limits, and a report is made.

use std::time::Duration;

use super::super::memory_use::MemoryUse;
use super::super::placement::Placement;
use super::files::{named, number};

/// What the kernel has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::container) struct Counters {
    /// Absent where nobody counts it.
    cpu: Option<CpuTime>,
    /// Memory, and kills for want of it.
    pub memory: MemoryUse,
    /// Processes and threads that were refused.
    pub refused_forks: u64,
}

/// Processor time of all processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::container) struct CpuTime {
    /// All of it.
    pub total: Duration,
    /// Of that, in their own code.
    user: Duration,
    /// Of that, in the kernel; both in coarser steps with version 1.
    system: Duration,
}

impl Placement {
    /// Reads them. What a host doesn't count is zero or absent.
    pub(in crate::container) fn counters(&self) -> Counters {
        Counters {
            cpu: self.cpu_time(),
            memory: self.memory_use(),
            refused_forks: self.count_refused_forks(),
        }
    }

    /// The processor time alone.
    pub(in crate::container) fn cpu_time(&self) -> Option<CpuTime> {
        if self.is_unified() {
            self.cpu_time_unified()
        } else {
            self.cpu_time_version_1()
        }
    }

    fn cpu_time_unified(&self) -> Option<CpuTime> {
        let times = named(&self.unified()?.directory, "cpu.stat").ok()?;
        let time = |name| times.get(name).copied().map(Duration::from_micros);
        Some(CpuTime {
            total: time("usage_usec")?,
            user: time("user_usec").unwrap_or_default(),
            system: time("system_usec").unwrap_or_default(),
        })
    }

    fn cpu_time_version_1(&self) -> Option<CpuTime> {
        let directory = &self.holder("cpuacct")?.directory;
        let ticks = named(directory, "cpuacct.stat").unwrap_or_default();
        // USER_HZ is 100 on every architecture of ours.
        let time = |name| Duration::from_millis(ticks.get(name).copied().unwrap_or(0) * 10);
        Some(CpuTime {
            total: Duration::from_nanos(number(directory, "cpuacct.usage").ok()?),
            user: time("user"),
            system: time("system"),
        })
    }
}

impl Counters {
    /// Whether a process was killed because the container's own limit was reached: where it was the host that
    /// had no more, the limit never was in the way.
    pub(in crate::container) fn is_out_of_memory(&self) -> bool {
        self.memory.killed > 0 && self.memory.is_limit_reached
    }

    /// The processor time of all processes; zero where nobody counts it.
    pub(in crate::container) fn cpu_total(&self) -> Duration {
        self.cpu.unwrap_or_default().total
    }

    /// The time in the processes' own code and in the kernel since `before`: the whole as exactly as it is known,
    /// divided as the coarser counters have it.
    pub(in crate::container) fn since(&self, before: &Self) -> Option<(Duration, Duration)> {
        let before = before.cpu.unwrap_or_default();
        let now = self.cpu?;
        let total = now.total.saturating_sub(before.total);
        let user = now.user.saturating_sub(before.user);
        let system = now.system.saturating_sub(before.system);
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
            cpu: Some(CpuTime {
                total: Duration::from_millis(total),
                user: Duration::from_millis(user),
                system: Duration::from_millis(system),
            }),
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
        let of = |killed, is_limit_reached| Counters {
            memory: MemoryUse {
                peak: None,
                killed,
                is_limit_reached,
            },
            ..Counters::default()
        };
        assert!(of(1, true).is_out_of_memory());
        assert!(!of(0, true).is_out_of_memory());
        assert!(!of(1, false).is_out_of_memory());
    }
}
