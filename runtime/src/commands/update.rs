//! `update`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPidsBuilder, LinuxResources};
use runtime::container;

use crate::global::Global;

/// Arguments of `update`, as runc has them.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Limits as in config.json below linux.resources; - for standard input. The other options count for
    /// nothing then
    #[arg(short, long, value_name = "FILE")]
    pub resources: Option<PathBuf>,
    /// Memory, such as 64M; -1 for no limit
    #[arg(long, value_name = "SIZE", value_parser = size, allow_negative_numbers = true)]
    pub memory: Option<i64>,
    /// Memory below which none is taken back while others have more
    #[arg(long, value_name = "SIZE", value_parser = size, allow_negative_numbers = true)]
    pub memory_reservation: Option<i64>,
    /// Memory and swap together; -1 for no limit on swap
    #[arg(long, value_name = "SIZE", value_parser = size, allow_negative_numbers = true)]
    pub memory_swap: Option<i64>,
    /// The kernel's own memory: without effect since Linux 5.16
    #[arg(long, value_name = "SIZE", value_parser = size, allow_negative_numbers = true)]
    pub kernel_memory: Option<i64>,
    /// Memory of TCP's buffers, of cgroup v1
    #[arg(long, value_name = "SIZE", value_parser = size, allow_negative_numbers = true)]
    pub kernel_memory_tcp: Option<i64>,
    /// Share of processor time where others want it too: 1024 is usual
    #[arg(long, visible_alias = "cpu-shares", value_name = "NUMBER")]
    pub cpu_share: Option<u64>,
    /// Period of --cpu-quota, microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    pub cpu_period: Option<u64>,
    /// Processor time in a period; -1 for no limit
    #[arg(long, value_name = "MICROSECONDS", allow_negative_numbers = true)]
    pub cpu_quota: Option<i64>,
    /// Unused quota that can be used later
    #[arg(long, value_name = "MICROSECONDS")]
    pub cpu_burst: Option<u64>,
    /// Period of --cpu-rt-runtime
    #[arg(long, value_name = "MICROSECONDS")]
    pub cpu_rt_period: Option<u64>,
    /// Real-time processor time in a period, of cgroup v1
    #[arg(long, value_name = "MICROSECONDS", allow_negative_numbers = true)]
    pub cpu_rt_runtime: Option<i64>,
    /// 1 to run only where nobody else wants to
    #[arg(long, value_name = "0|1", allow_negative_numbers = true)]
    pub cpu_idle: Option<i64>,
    /// Processors, such as 0-2,5
    #[arg(long, value_name = "LIST")]
    pub cpuset_cpus: Option<String>,
    /// Memory nodes
    #[arg(long, value_name = "LIST")]
    pub cpuset_mems: Option<String>,
    /// Number of processes; -1 for no limit
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub pids_limit: Option<i64>,
    /// Share of block devices' time, 10 to 1000
    #[arg(long, value_name = "NUMBER")]
    pub blkio_weight: Option<u16>,
    /// The container's id
    pub id: String,
}

/// Changes the limits of a container.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    let changes = match &arguments.resources {
        Some(file) => container::read_resources(file)?,
        None => arguments.changes()?,
    };
    container::update(&global.store().open(&arguments.id)?, &changes)?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    /// The options as the OCI spec has them. What isn't given isn't there.
    fn changes(&self) -> Result<LinuxResources> {
        let mut memory = LinuxMemory::default();
        memory.set_limit(self.memory);
        memory.set_reservation(self.memory_reservation);
        memory.set_swap(self.memory_swap);
        memory.set_kernel(self.kernel_memory);
        memory.set_kernel_tcp(self.kernel_memory_tcp);
        let mut cpu = LinuxCpu::default();
        cpu.set_shares(self.cpu_share);
        cpu.set_period(self.cpu_period);
        cpu.set_quota(self.cpu_quota);
        cpu.set_burst(self.cpu_burst);
        cpu.set_realtime_period(self.cpu_rt_period);
        cpu.set_realtime_runtime(self.cpu_rt_runtime);
        cpu.set_idle(self.cpu_idle);
        cpu.set_cpus(self.cpuset_cpus.clone());
        cpu.set_mems(self.cpuset_mems.clone());
        let mut block_io = LinuxBlockIo::default();
        block_io.set_weight(self.blkio_weight);
        let pids = self
            .pids_limit
            .map(|limit| LinuxPidsBuilder::default().limit(limit).build());
        let mut changes = LinuxResources::default();
        changes.set_devices(None);
        changes.set_memory(Some(memory));
        changes.set_cpu(Some(cpu));
        changes.set_block_io(Some(block_io));
        changes.set_pids(pids.transpose()?);
        Ok(changes)
    }
}

/// Bytes, with a suffix or without: `64M`, `1.5g`, `100KiB`; powers of 1024 all.
fn size(text: &str) -> Result<i64, String> {
    let wrong =
        || format!("\"{text}\" is no size: a number, with k, m, g, t or p behind it or without");
    let lower = text.trim().to_ascii_lowercase();
    let stem = lower
        .strip_suffix("ib")
        .or_else(|| lower.strip_suffix('b'))
        .unwrap_or(&lower);
    let (number, power) = match stem.chars().last().and_then(|last| "kmgtp".find(last)) {
        Some(at) => (&stem[..stem.len() - 1], u32::try_from(at + 1).unwrap_or(0)),
        None => (stem, 0),
    };
    if number == "-1" && power == 0 {
        return Ok(-1);
    }
    let factor = 1024_i64.pow(power);
    if let Ok(number) = number.trim().parse::<u32>() {
        return i64::from(number).checked_mul(factor).ok_or_else(wrong);
    }
    if let Ok(number) = number.trim().parse::<i64>() {
        return Some(number)
            .filter(|number| *number >= 0)
            .and_then(|number| number.checked_mul(factor))
            .ok_or_else(wrong);
    }
    let is_decimal = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = number
        .parse()
        .ok()
        .filter(|_| is_decimal)
        .ok_or_else(wrong)?;
    let bytes = number * factor as f64;
    if bytes >= i64::MAX as f64 {
        return Err(wrong());
    }
    // Exact enough: a fraction is of a unit, and what comes out is whole bytes.
    Ok(bytes as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_suffixes() {
        for (text, expected) in [
            ("0", 0),
            ("4096", 4096),
            ("64M", 64 << 20),
            ("64m", 64 << 20),
            ("64MiB", 64 << 20),
            ("1.5g", 3 << 29),
            ("1k", 1024),
            ("2TB", 2 << 40),
            ("9223372036854775807", i64::MAX),
            ("-1", -1),
            ("10b", 10),
        ] {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "M",
            "-2",
            "-1M",
            "1e3",
            "0x10",
            "1 000",
            "inf",
            "nan",
            "12z",
            "9999999P",
            "99999999999999999999",
            "9000000.5T",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
