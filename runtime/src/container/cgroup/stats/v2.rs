//! What version 2's files count, in the words of version 1's.

use std::path::Path;

use super::super::super::Result;
use super::files::{huge_page_sizes, list, named, number, text};
use super::form::{
    BlockIo, BlockIoEntry, Cpu, CpuUsage, HugePages, Memory, MemoryEntry, Pids, Stats, Throttling,
};
use super::v1;

const NANOSECONDS_OF_MICROSECOND: u64 = 1000;

/// All that the cgroup at `directory` counts.
pub(super) fn stats(directory: &Path) -> Result<Stats> {
    let mut stats = Stats {
        cpu: cpu(directory)?,
        memory: memory(directory)?,
        pids: pids(directory)?,
        blkio: block_io(&text(directory, "io.stat")?),
        ..Stats::default()
    };
    stats.cpuset.cpus = list(&text(directory, "cpuset.cpus")?);
    stats.cpuset.mems = list(&text(directory, "cpuset.mems")?);
    huge_pages(directory, &mut stats)?;
    Ok(stats)
}

fn cpu(directory: &Path) -> Result<Cpu> {
    let counted = named(directory, "cpu.stat")?;
    let count = |name| counted.get(name).copied().unwrap_or(0);
    let time = |name| count(name) * NANOSECONDS_OF_MICROSECOND;
    Ok(Cpu {
        usage: CpuUsage {
            total: time("usage_usec"),
            kernel: time("system_usec"),
            user: time("user_usec"),
            ..CpuUsage::default()
        },
        throttling: Throttling {
            periods: count("nr_periods"),
            throttled_periods: count("nr_throttled"),
            throttled_time: time("throttled_usec"),
        },
    })
}

fn memory(directory: &Path) -> Result<Memory> {
    let raw = named(directory, "memory.stat")?;
    let entry = |name: &str| -> Result<MemoryEntry> {
        let read = |what: &str| number(directory, &format!("memory.{name}{what}"));
        Ok(MemoryEntry {
            limit: read("max")?,
            usage: read("current")?,
            max: read("peak")?,
            failcnt: 0,
        })
    };
    let usage = entry("")?;
    let mut swap = entry("swap.")?;
    // Together with memory, as version 1 counts it.
    swap.usage += usage.usage;
    swap.limit = swap.limit.saturating_add(usage.limit);
    swap.max = 0;
    Ok(Memory {
        cache: raw.get("file").copied().unwrap_or(0),
        usage,
        swap,
        raw,
        ..Memory::default()
    })
}

/// Without the controller, the processes are counted in their list.
fn pids(directory: &Path) -> Result<Pids> {
    let mut pids = v1::pids(directory)?;
    if pids.current == 0 {
        let list = text(directory, "cgroup.procs")?;
        pids.current = u64::try_from(list.lines().count()).unwrap_or(u64::MAX);
    }
    Ok(pids)
}

/// `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 …`, a line for each device.
fn block_io(text: &str) -> BlockIo {
    let mut io = BlockIo::default();
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let device = fields.next().and_then(|device| device.split_once(':'));
        let Some((Ok(major), Ok(minor))) =
            device.map(|(major, minor)| (major.parse(), minor.parse()))
        else {
            continue;
        };
        for (name, value) in fields.filter_map(|field| field.split_once('=')) {
            let (list, op) = match name {
                "rbytes" => (&mut io.io_service_bytes_recursive, "Read"),
                "wbytes" => (&mut io.io_service_bytes_recursive, "Write"),
                "rios" => (&mut io.io_serviced_recursive, "Read"),
                "wios" => (&mut io.io_serviced_recursive, "Write"),
                _ => continue,
            };
            list.push(BlockIoEntry {
                major,
                minor,
                op: op.to_owned(),
                value: value.parse().unwrap_or(0),
            });
        }
    }
    io
}

/// The files of huge pages in `directory`, if there are any.
pub(super) fn huge_pages(directory: &Path, stats: &mut Stats) -> Result<()> {
    for size in huge_page_sizes(directory, ".current") {
        let read = |what: &str| number(directory, &format!("hugetlb.{size}.{what}"));
        let events = named(directory, &format!("hugetlb.{size}.events"))?;
        let counted = HugePages {
            usage: read("rsvd.current")?.max(read("current")?),
            max: 0,
            failcnt: events.get("max").copied().unwrap_or(0),
        };
        stats.hugetlb.insert(size, counted);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_counted_in_version_1s_words() {
        let io = block_io("8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\nbroken\n");
        let op = |entry: &BlockIoEntry| (entry.major, entry.op.clone(), entry.value);
        let bytes: Vec<_> = io.io_service_bytes_recursive.iter().map(op).collect();
        assert_eq!(
            bytes,
            [(8, "Read".to_owned(), 10), (8, "Write".to_owned(), 20)]
        );
        let counts: Vec<_> = io.io_serviced_recursive.iter().map(op).collect();
        assert_eq!(
            counts,
            [(8, "Read".to_owned(), 1), (8, "Write".to_owned(), 2)]
        );
    }
}
