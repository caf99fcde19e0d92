//! Changing the limits of a container that runs.

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxResources};

use super::super::{Error, Result};
use super::limits::set;
use super::placement::Placement;
use crate::kernel_file;

impl Placement {
    /// Sets the limits that `changes` names, and lets the others be.
    ///
    /// # Errors
    /// As for a new container; where `memory.checkBeforeUpdate` asks to refuse less than is in use.
    pub(in crate::container) fn update(&self, changes: &LinuxResources) -> Result<()> {
        let changes = self.with_what_goes_together(changes);
        self.check_memory(&changes)?;
        self.update_unit(&changes)?;
        self.limit(&changes)
    }

    /// Completes pairs of which version 2 has one file, or systemd one property, with what the kernel holds:
    /// a quota needs its period, and swap is told apart from memory only where both are known.
    fn with_what_goes_together(&self, changes: &LinuxResources) -> LinuxResources {
        let mut changes = changes.clone();
        if let Some(cpu) = changes.cpu() {
            let cpu = self.with_quota_and_period(cpu);
            changes.set_cpu(Some(cpu));
        }
        if let Some(memory) = changes.memory().filter(|_| self.is_unified()) {
            let memory = self.with_limit(memory);
            changes.set_memory(Some(memory));
        }
        changes
    }

    fn with_quota_and_period(&self, cpu: &LinuxCpu) -> LinuxCpu {
        let mut cpu = cpu.clone();
        let (quota, period) = (set(cpu.quota()), set(cpu.period()));
        if quota.is_some() == period.is_some() {
            return cpu;
        }
        let (held_quota, held_period) = self.held_quota();
        cpu.set_quota(quota.or(held_quota));
        cpu.set_period(period.or(held_period));
        cpu
    }

    /// The quota and the period that the kernel holds; no quota is -1.
    fn held_quota(&self) -> (Option<i64>, Option<u64>) {
        if !self.is_unified() {
            let number = |file| self.read("cpu", file)?.trim().parse::<i64>().ok();
            let period = number("cpu.cfs_period_us").and_then(|period| period.try_into().ok());
            return (number("cpu.cfs_quota_us"), period);
        }
        let text = self.read("cpu", "cpu.max").unwrap_or_default();
        let (quota, period) = text.trim().split_once(' ').unwrap_or_default();
        let quota = if quota == "max" {
            Some(-1)
        } else {
            quota.parse().ok()
        };
        (quota, period.parse().ok())
    }

    fn with_limit(&self, mut memory: LinuxMemory) -> LinuxMemory {
        if set(memory.limit()).is_none() && set(memory.swap()).is_some() {
            let text = self.read("memory", "memory.max").unwrap_or_default();
            let held = if text.trim() == "max" {
                Some(-1)
            } else {
                text.trim().parse().ok()
            };
            memory.set_limit(held);
        }
        memory
    }

    /// Version 1 refuses a limit below what is in use; version 2 ends processes until it is kept.
    fn check_memory(&self, changes: &LinuxResources) -> Result<()> {
        let memory = changes
            .memory()
            .filter(|memory| self.is_unified() && memory.check_before_update() == Some(true));
        let limit = memory.and_then(|memory| set(memory.limit()));
        let Some(limit) = limit.and_then(|limit| u64::try_from(limit).ok()) else {
            return Ok(());
        };
        let text = self.read("memory", "memory.current").unwrap_or_default();
        match text.trim().parse::<u64>() {
            Ok(used) if used >= limit => Err(Error::unsupported(
                format!("linux.resources.memory.limit {limit}"),
                format!(
                    "{used} bytes are in use, and memory.checkBeforeUpdate asks to refuse this"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// What a file of `controller` says, if it is there.
    fn read(&self, controller: &str, file: &str) -> Option<String> {
        let place = self.place_of(controller)?;
        kernel_file::read(place.directory.join(file)).ok()
    }
}
