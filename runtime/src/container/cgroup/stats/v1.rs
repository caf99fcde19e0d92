//! What version 1's files count.

use std::path::Path;

use super::super::super::Result;
use super::super::placement::Placement;
use super::files::{huge_page_sizes, list, named, number, parse, text};
use super::form::{
    BlockIo, BlockIoEntry, Cpu, CpuSet, CpuUsage, HugePages, Memory, MemoryEntry, Pids, Stats,
    Throttling,
};
use super::v2;

/// `cpuacct.stat` counts in these whatever the kernel's own tick: `USER_HZ` is 100 on every architecture of
/// ours.
const NANOSECONDS_OF_TICK: u64 = 10_000_000;

/// All that the hierarchies of `placement` count.
pub(super) fn stats(placement: &Placement) -> Result<Stats> {
    let mut stats = Stats::default();
    let directory = |controller| placement.holder(controller).map(|place| &*place.directory);
    if let Some(directory) = directory("cpuacct") {
        stats.cpu.usage = cpu_usage(directory)?;
    }
    if let Some(directory) = directory("cpu") {
        throttling(directory, &mut stats.cpu)?;
    }
    if let Some(directory) = directory("cpuset") {
        stats.cpuset = cpu_set(directory)?;
    }
    if let Some(directory) = directory("memory") {
        stats.memory = memory(directory)?;
    }
    if let Some(directory) = directory("pids") {
        stats.pids = pids(directory)?;
    }
    if let Some(directory) = directory("blkio") {
        stats.blkio = block_io(directory)?;
    }
    match (directory("hugetlb"), placement.unified()) {
        (Some(directory), _) => huge_pages(directory, &mut stats)?,
        (None, Some(place)) => v2::huge_pages(&place.directory, &mut stats)?,
        (None, None) => {}
    }
    Ok(stats)
}

fn cpu_usage(directory: &Path) -> Result<CpuUsage> {
    let ticks = named(directory, "cpuacct.stat")?;
    let time = |name| ticks.get(name).copied().unwrap_or(0) * NANOSECONDS_OF_TICK;
    let numbers = |text: &str, column| -> Vec<u64> {
        let lines = text.lines().skip(1);
        lines
            .filter_map(|line| line.split_whitespace().nth(column).map(parse))
            .collect()
    };
    // A heading, then a line for each processor: its number, user's time, the kernel's.
    let all = text(directory, "cpuacct.usage_all")?;
    let each = text(directory, "cpuacct.usage_percpu")?;
    Ok(CpuUsage {
        total: number(directory, "cpuacct.usage")?,
        percpu: each.split_whitespace().map(parse).collect(),
        percpu_kernel: numbers(&all, 2),
        percpu_user: numbers(&all, 1),
        kernel: time("system"),
        user: time("user"),
    })
}

fn throttling(directory: &Path, cpu: &mut Cpu) -> Result<()> {
    let counted = named(directory, "cpu.stat")?;
    let count = |name| counted.get(name).copied().unwrap_or(0);
    cpu.throttling = Throttling {
        periods: count("nr_periods"),
        throttled_periods: count("nr_throttled"),
        throttled_time: count("throttled_time"),
    };
    Ok(())
}

fn cpu_set(directory: &Path) -> Result<CpuSet> {
    let flag = |name: &str| number(directory, &format!("cpuset.{name}"));
    let level = text(directory, "cpuset.sched_relax_domain_level")?;
    Ok(CpuSet {
        cpus: list(&text(directory, "cpuset.cpus")?),
        cpu_exclusive: flag("cpu_exclusive")?,
        mems: list(&text(directory, "cpuset.mems")?),
        mem_hardwall: flag("mem_hardwall")?,
        mem_exclusive: flag("mem_exclusive")?,
        memory_migrate: flag("memory_migrate")?,
        memory_spread_page: flag("memory_spread_page")?,
        memory_spread_slab: flag("memory_spread_slab")?,
        memory_pressure: flag("memory_pressure")?,
        sched_load_balance: flag("sched_load_balance")?,
        sched_relax_domain_level: level.trim().parse().unwrap_or(0),
    })
}

fn memory(directory: &Path) -> Result<Memory> {
    let raw = named(directory, "memory.stat")?;
    let entry = |name: &str| -> Result<MemoryEntry> {
        let read = |what: &str| number(directory, &format!("memory.{name}{what}"));
        Ok(MemoryEntry {
            limit: read("limit_in_bytes")?,
            usage: read("usage_in_bytes")?,
            max: read("max_usage_in_bytes")?,
            failcnt: read("failcnt")?,
        })
    };
    Ok(Memory {
        cache: raw.get("cache").copied().unwrap_or(0),
        usage: entry("")?,
        swap: entry("memsw.")?,
        kernel: entry("kmem.")?,
        kernel_tcp: entry("kmem.tcp.")?,
        raw,
    })
}

/// No limit is zero.
pub(super) fn pids(directory: &Path) -> Result<Pids> {
    let limit = number(directory, "pids.max")?;
    Ok(Pids {
        current: number(directory, "pids.current")?,
        limit: if limit == u64::MAX { 0 } else { limit },
    })
}

/// Where the scheduler bfq counts, it is asked, and else the throttle, which always counts.
fn block_io(directory: &Path) -> Result<BlockIo> {
    let read = |what: &str| -> Result<Vec<BlockIoEntry>> {
        for by in ["bfq", "throttle"] {
            let text = text(directory, &format!("blkio.{by}.{what}_recursive"))?;
            let entries: Vec<BlockIoEntry> = text.lines().filter_map(entry).collect();
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        Ok(vec![])
    };
    Ok(BlockIo {
        io_service_bytes_recursive: read("io_service_bytes")?,
        io_serviced_recursive: read("io_serviced")?,
    })
}

/// `8:0 Read 4096`; the last line, `Total 4096`, is no device's.
fn entry(line: &str) -> Option<BlockIoEntry> {
    let mut fields = line.split_whitespace();
    let (major, minor) = fields.next()?.split_once(':')?;
    Some(BlockIoEntry {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        op: fields.next()?.to_owned(),
        value: fields.next()?.parse().ok()?,
    })
}

fn huge_pages(directory: &Path, stats: &mut Stats) -> Result<()> {
    for size in huge_page_sizes(directory, ".usage_in_bytes") {
        let read = |what: &str| number(directory, &format!("hugetlb.{size}.{what}"));
        let counted = HugePages {
            usage: read("rsvd.usage_in_bytes")?.max(read("usage_in_bytes")?),
            max: read("rsvd.max_usage_in_bytes")?.max(read("max_usage_in_bytes")?),
            failcnt: read("rsvd.failcnt")?.max(read("failcnt")?),
        };
        stats.hugetlb.insert(size, counted);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_device_is_an_entry() {
        let read = entry("8:16 Write 4096").unwrap();
        assert_eq!((read.major, read.minor, read.value), (8, 16, 4096));
        assert_eq!(read.op, "Write");
        assert_eq!(entry("Total 4096"), None);
        assert_eq!(entry(""), None);
    }
}
