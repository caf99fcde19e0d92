//! A command's limits and counters while it runs.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

use bundles::seccomp::Filter;
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags};

use super::super::cgroup::{Counters, OutOfMemory, RefusedForks};
use super::super::supervise::{End, ends_by_default};
use super::super::{Error, Result};
use super::refusals::Refusals;
use super::scratch::Scratch;
use super::{Baseline, Bound, Bounds, Measured, Pump};

/// How often to look at what nobody tells of: the temporary directory, and refused processes with cgroups of
/// version 1.
const INTERVAL: Duration = Duration::from_millis(100);

/// The shortest time between two looks at the processor time.
const CPU_INTERVAL: Duration = Duration::from_millis(5);

/// The kernel tells that memory is wanting before it has killed anybody for it.
const KILL_COMES_WITHIN: Duration = Duration::from_secs(1);
const KILL_INTERVAL: Duration = Duration::from_millis(2);

/// What is to be done to the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::container) enum Order {
    /// Ask it to end.
    Ask,
    /// End it.
    Kill,
}

/// A moment by the calendar, and by the clock that nobody sets.
#[derive(Debug, Clone, Copy)]
pub(in crate::container) struct Moment {
    calendar: SystemTime,
    clock: Instant,
}

impl Moment {
    pub(in crate::container) fn now() -> Self {
        Self {
            calendar: SystemTime::now(),
            clock: Instant::now(),
        }
    }
}

/// A command that is held to its bounds.
#[derive(Debug)]
pub(in crate::container) struct Watch<'a> {
    bounds: &'a Bounds,
    baseline: Baseline,
    pump: Option<&'a Pump>,
    refusals: Option<Refusals>,
    started: Moment,
    /// When to look at the processor time.
    next_cpu_look: Instant,
    next_look: Instant,
    /// Until when a kill for want of memory may still come.
    memory_suspect: Option<Instant>,
    kill_at: Option<Instant>,
    is_killed: bool,
    exceeded: Option<Bound>,
    is_stopped: bool,
}

impl<'a> Watch<'a> {
    /// Takes up watching a process that was `started`, and was as `baseline` says before. `refused`: the listener of
    /// its filter, and the filter by which to answer; what asks before this waits.
    pub(in crate::container) fn begin(
        bounds: &'a Bounds,
        baseline: Baseline,
        started: Moment,
        pump: Option<&'a Pump>,
        refused: Option<(OwnedFd, Filter)>,
    ) -> Result<Self> {
        let refusals = refused
            .map(|(listener, filter)| Refusals::listen(listener, filter))
            .transpose()?;
        Ok(Self {
            bounds,
            baseline,
            pump,
            refusals,
            started,
            next_cpu_look: started.clock,
            next_look: started.clock,
            memory_suspect: None,
            kill_at: None,
            is_killed: false,
            exceeded: None,
            is_stopped: false,
        })
    }

    /// What to wait for.
    pub(in crate::container) fn waiting(&self) -> Vec<PollFd<'_>> {
        if self.is_killed {
            // Nobody takes the news any more, so they would never be over.
            return vec![];
        }
        let out_of_memory = self.baseline.out_of_memory.as_ref().map(AsFd::as_fd);
        let refused_forks = self
            .baseline
            .refused_forks
            .as_ref()
            .and_then(RefusedForks::news);
        let printed = self.pump.map(Pump::news);
        let all = [out_of_memory, refused_forks, printed];
        all.into_iter()
            .flatten()
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
            .collect()
    }

    /// How long to wait at most.
    pub(in crate::container) fn patience(&self) -> Option<Duration> {
        if self.is_killed {
            return None;
        }
        let wall = self
            .bounds
            .wall_time
            .map(|limit| self.started.clock + limit);
        let next = [
            self.kill_at.or(wall),
            self.bounds.cpu_time.map(|_| self.next_cpu_look),
            self.is_to_be_looked_at().then_some(self.next_look),
            self.memory_suspect.map(|_| Instant::now() + KILL_INTERVAL),
        ];
        let next = next.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Notes a signal that the caller sent to the command.
    pub(in crate::container) fn note_signal(&mut self, signal: Signal) {
        self.is_stopped |= ends_by_default(signal);
    }

    /// Notes that the command is killed for another reason than a limit.
    pub(in crate::container) fn note_killed(&mut self) {
        self.is_stopped = true;
    }

    /// Looks whether a limit is exceeded by now.
    pub(in crate::container) fn turn(&mut self) -> Option<Order> {
        if self.is_killed {
            return None;
        }
        let now = Instant::now();
        if let Some(bound) = self.exceeded_now(now) {
            self.exceeded.get_or_insert(bound);
            return self.kill();
        }
        if let Some(at) = self.kill_at {
            return (now >= at).then(|| self.kill()).flatten();
        }
        let wall = self.bounds.wall_time?;
        if now < self.started.clock + wall {
            return None;
        }
        self.exceeded.get_or_insert(Bound::WallTime);
        if self.bounds.grace.is_zero() {
            return self.kill();
        }
        self.kill_at = Some(now + self.bounds.grace);
        Some(Order::Ask)
    }

    fn kill(&mut self) -> Option<Order> {
        self.is_killed = true;
        Some(Order::Kill)
    }

    /// A limit that nobody could go on with.
    fn exceeded_now(&mut self, now: Instant) -> Option<Bound> {
        if self.is_out_of_memory(now) {
            return Some(Bound::Memory);
        }
        let is_time = now >= self.next_look;
        if is_time {
            self.next_look = now + INTERVAL;
        }
        let mut forks = self.baseline.refused_forks.iter_mut();
        if forks.any(|forks| (is_time || forks.is_told()) && forks.has_happened()) {
            return Some(Bound::Processes);
        }
        if self.is_truncated() {
            return Some(Bound::Output);
        }
        if self.has_used_up_cpu_time(now) {
            return Some(Bound::CpuTime);
        }
        if is_time && self.limited_scratch().is_some_and(Scratch::is_full) {
            return Some(Bound::Scratch);
        }
        None
    }

    /// Whether there is something that nobody tells of.
    fn is_to_be_looked_at(&self) -> bool {
        let forks = self.baseline.refused_forks.as_ref();
        self.limited_scratch().is_some() || forks.is_some_and(|forks| !forks.is_told())
    }

    fn limited_scratch(&self) -> Option<&Scratch> {
        self.baseline
            .scratch
            .as_ref()
            .filter(|_| self.bounds.limits_scratch)
    }

    /// Whether it printed more than it may, and that is the end of it.
    fn is_truncated(&self) -> bool {
        let is_truncated = self.pump.is_some_and(Pump::is_truncated);
        is_truncated && !self.bounds.truncates_output
    }

    fn is_out_of_memory(&mut self, now: Instant) -> bool {
        let events = self.baseline.out_of_memory.as_mut();
        if events.is_some_and(OutOfMemory::has_happened) {
            self.memory_suspect = Some(now + KILL_COMES_WITHIN);
        }
        let Some(until) = self.memory_suspect else {
            return false;
        };
        if now > until {
            self.memory_suspect = None;
        }
        self.baseline.cgroup.counters().is_out_of_memory()
    }

    fn has_used_up_cpu_time(&mut self, now: Instant) -> bool {
        let Some(limit) = self.bounds.cpu_time.filter(|_| now >= self.next_cpu_look) else {
            return false;
        };
        let Some(used) = self.cpu_time() else {
            // Each process's own limit is all that is left.
            self.next_cpu_look = now + Duration::from_secs(3600);
            return false;
        };
        let limit = limit + self.bounds.grace;
        // It can't use more than all processors meanwhile.
        let left = limit.saturating_sub(used) / self.baseline.processors;
        self.next_cpu_look = now + left.max(CPU_INTERVAL);
        used >= limit
    }

    fn cpu_time(&self) -> Option<Duration> {
        let used = self.baseline.cgroup.cpu_time()?.total;
        Some(used.saturating_sub(self.baseline.counters.cpu_total()))
    }

    /// What was measured, now that the command has ended and its cgroup is still there.
    pub(in crate::container) fn end(self, end: End) -> Result<Measured> {
        let wall = self.started.clock.elapsed();
        let counters = self.baseline.cgroup.counters();
        let used = counters.since(&self.baseline.counters);
        let used = used.map_or_else(of_children, Ok)?;
        let late = || self.found_late(&counters, end, used);
        let exceeded = self.exceeded.or_else(late);
        Ok(Measured {
            started: self.started.calendar,
            wall,
            user: used.0,
            system: used.1,
            peak_memory: counters.memory.peak,
            exceeded,
            is_stopped: self.is_stopped && exceeded.is_none(),
            output: None,
            refused: self.refusals.as_ref().map(Refusals::told),
            looked: self
                .refusals
                .as_ref()
                .map(Refusals::looked)
                .unwrap_or_default(),
        })
    }

    /// A limit that was exceeded, though the command ended before anybody could end it for that.
    fn found_late(
        &self,
        counters: &Counters,
        end: End,
        (user, system): (Duration, Duration),
    ) -> Option<Bound> {
        let has_failed = end != End::Exited(0);
        let died_of = |signal: Signal| end == End::Signalled(signal as i32);
        let cpu = self.bounds.cpu_time;
        let is_full = || self.baseline.scratch.as_ref().is_some_and(Scratch::is_full);
        let found = [
            (counters.is_out_of_memory(), Bound::Memory),
            (
                cpu.is_some_and(|limit| user + system > limit || died_of(Signal::SIGXCPU)),
                Bound::CpuTime,
            ),
            (
                counters.refused_forks > self.baseline.counters.refused_forks,
                Bound::Processes,
            ),
            (self.is_truncated(), Bound::Output),
            (
                self.bounds.limits_file_size && died_of(Signal::SIGXFSZ),
                Bound::FileSize,
            ),
            (has_failed && is_full(), Bound::Scratch),
        ];
        let found = found.into_iter().find(|(is_exceeded, _)| *is_exceeded);
        found.map(|(_, bound)| bound)
    }
}

/// Where no cgroup counts: what the kernel counted for all children that were waited for.
fn of_children() -> Result<(Duration, Duration)> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;

    let usage =
        getrusage(UsageWho::RUSAGE_CHILDREN).map_err(Error::step("ask what the command used"))?;
    let duration = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0))
    };
    Ok((duration(usage.user_time()), duration(usage.system_time())))
}
