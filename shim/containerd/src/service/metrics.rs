//! What a container uses, in containerd's form: made from that of runc's events, which the runtime has.

use containerd_shim_protos::cgroups::metrics::{
    BlkIOEntry, BlkIOStat, CPUStat, CPUUsage, HugetlbStat, MemoryEntry, MemoryStat, Metrics,
    PidsStat, Throttle,
};
use containerd_shim_protos::cgroups_v2::metrics as unified;
use containerd_shim_protos::protobuf;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use serde_json::Value;

use crate::typed;

/// The message of the host's version of cgroups.
///
/// # Errors
/// Where it can't be written.
pub fn of(stats: &Value) -> protobuf::Result<Any> {
    // Version 1 counts memory and swap of the whole hierarchy under these names.
    match stats.pointer("/memory/raw/hierarchical_memory_limit") {
        Some(_) => typed::pack(&version_1(stats)),
        None => typed::pack(&version_2(stats)),
    }
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn version_1(stats: &Value) -> Metrics {
    Metrics {
        cpu: Some(cpu(stats)).into(),
        memory: Some(memory(stats)).into(),
        pids: Some(PidsStat {
            current: number(stats, "/pids/current"),
            limit: number(stats, "/pids/limit"),
            ..PidsStat::default()
        })
        .into(),
        blkio: Some(block_io(stats)).into(),
        hugetlb: huge_pages(stats),
        ..Metrics::default()
    }
}

fn cpu(stats: &Value) -> CPUStat {
    let per_cpu = stats.pointer("/cpu/usage/percpu").and_then(Value::as_array);
    let usage = CPUUsage {
        total: number(stats, "/cpu/usage/total"),
        kernel: number(stats, "/cpu/usage/kernel"),
        user: number(stats, "/cpu/usage/user"),
        per_cpu: per_cpu
            .into_iter()
            .flatten()
            .filter_map(Value::as_u64)
            .collect(),
        ..CPUUsage::default()
    };
    let throttling = Throttle {
        periods: number(stats, "/cpu/throttling/periods"),
        throttled_periods: number(stats, "/cpu/throttling/throttledPeriods"),
        throttled_time: number(stats, "/cpu/throttling/throttledTime"),
        ..Throttle::default()
    };
    CPUStat {
        usage: Some(usage).into(),
        throttling: Some(throttling).into(),
        ..CPUStat::default()
    }
}

fn memory(stats: &Value) -> MemoryStat {
    let raw = |name: &str| number(stats, &format!("/memory/raw/{name}"));
    let entry = |name: &str| MemoryEntry {
        limit: number(stats, &format!("/memory/{name}/limit")),
        usage: number(stats, &format!("/memory/{name}/usage")),
        max: number(stats, &format!("/memory/{name}/max")),
        failcnt: number(stats, &format!("/memory/{name}/failcnt")),
        ..MemoryEntry::default()
    };
    MemoryStat {
        cache: raw("cache"),
        rss: raw("rss"),
        rss_huge: raw("rss_huge"),
        mapped_file: raw("mapped_file"),
        dirty: raw("dirty"),
        writeback: raw("writeback"),
        pg_pg_in: raw("pgpgin"),
        pg_pg_out: raw("pgpgout"),
        pg_fault: raw("pgfault"),
        pg_maj_fault: raw("pgmajfault"),
        inactive_anon: raw("inactive_anon"),
        active_anon: raw("active_anon"),
        inactive_file: raw("inactive_file"),
        active_file: raw("active_file"),
        unevictable: raw("unevictable"),
        hierarchical_memory_limit: raw("hierarchical_memory_limit"),
        hierarchical_swap_limit: raw("hierarchical_memsw_limit"),
        total_cache: raw("total_cache"),
        total_rss: raw("total_rss"),
        total_rss_huge: raw("total_rss_huge"),
        total_mapped_file: raw("total_mapped_file"),
        total_dirty: raw("total_dirty"),
        total_writeback: raw("total_writeback"),
        total_pg_pg_in: raw("total_pgpgin"),
        total_pg_pg_out: raw("total_pgpgout"),
        total_pg_fault: raw("total_pgfault"),
        total_pg_maj_fault: raw("total_pgmajfault"),
        total_inactive_anon: raw("total_inactive_anon"),
        total_active_anon: raw("total_active_anon"),
        total_inactive_file: raw("total_inactive_file"),
        total_active_file: raw("total_active_file"),
        total_unevictable: raw("total_unevictable"),
        usage: Some(entry("usage")).into(),
        swap: Some(entry("swap")).into(),
        kernel: Some(entry("kernel")).into(),
        kernel_tcp: Some(entry("kernelTCP")).into(),
        ..MemoryStat::default()
    }
}

fn block_io(stats: &Value) -> BlkIOStat {
    let list = |name: &str| {
        let entries = stats
            .pointer(&format!("/blkio/{name}"))
            .and_then(Value::as_array);
        let entries = entries.into_iter().flatten();
        entries
            .map(|entry| BlkIOEntry {
                op: entry
                    .get("op")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                major: number(entry, "/major"),
                minor: number(entry, "/minor"),
                value: number(entry, "/value"),
                ..BlkIOEntry::default()
            })
            .collect()
    };
    BlkIOStat {
        io_service_bytes_recursive: list("ioServiceBytesRecursive"),
        io_serviced_recursive: list("ioServicedRecursive"),
        io_queued_recursive: list("ioQueuedRecursive"),
        io_service_time_recursive: list("ioServiceTimeRecursive"),
        io_wait_time_recursive: list("ioWaitTimeRecursive"),
        io_merged_recursive: list("ioMergedRecursive"),
        io_time_recursive: list("ioTimeRecursive"),
        sectors_recursive: list("sectorsRecursive"),
        ..BlkIOStat::default()
    }
}

fn huge_pages(stats: &Value) -> Vec<HugetlbStat> {
    let sizes = stats.get("hugetlb").and_then(Value::as_object);
    let sizes = sizes.into_iter().flatten();
    sizes
        .map(|(size, pages)| HugetlbStat {
            pagesize: size.clone(),
            usage: number(pages, "/usage"),
            max: number(pages, "/max"),
            failcnt: number(pages, "/failcnt"),
            ..HugetlbStat::default()
        })
        .collect()
}

fn version_2(stats: &Value) -> unified::Metrics {
    let raw = |name: &str| number(stats, &format!("/memory/raw/{name}"));
    let microseconds = |pointer: &str| number(stats, pointer) / 1000;
    let cpu = unified::CPUStat {
        usage_usec: microseconds("/cpu/usage/total"),
        user_usec: microseconds("/cpu/usage/user"),
        system_usec: microseconds("/cpu/usage/kernel"),
        nr_periods: number(stats, "/cpu/throttling/periods"),
        nr_throttled: number(stats, "/cpu/throttling/throttledPeriods"),
        throttled_usec: microseconds("/cpu/throttling/throttledTime"),
        ..unified::CPUStat::default()
    };
    let memory = unified::MemoryStat {
        anon: raw("anon"),
        file: raw("file"),
        kernel_stack: raw("kernel_stack"),
        slab: raw("slab"),
        sock: raw("sock"),
        shmem: raw("shmem"),
        file_mapped: raw("file_mapped"),
        file_dirty: raw("file_dirty"),
        file_writeback: raw("file_writeback"),
        inactive_anon: raw("inactive_anon"),
        active_anon: raw("active_anon"),
        inactive_file: raw("inactive_file"),
        active_file: raw("active_file"),
        unevictable: raw("unevictable"),
        pgfault: raw("pgfault"),
        pgmajfault: raw("pgmajfault"),
        usage: number(stats, "/memory/usage/usage"),
        usage_limit: number(stats, "/memory/usage/limit"),
        swap_usage: number(stats, "/memory/swap/usage")
            .saturating_sub(number(stats, "/memory/usage/usage")),
        swap_limit: number(stats, "/memory/swap/limit"),
        ..unified::MemoryStat::default()
    };
    let pids = unified::PidsStat {
        current: number(stats, "/pids/current"),
        limit: number(stats, "/pids/limit"),
        ..unified::PidsStat::default()
    };
    unified::Metrics {
        cpu: Some(cpu).into(),
        memory: Some(memory).into(),
        pids: Some(pids).into(),
        ..unified::Metrics::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_message_is_that_of_the_hosts_version() {
        let counted = json!({
            "pids": {"current": 3},
            "cpu": {"usage": {"total": 5000, "percpu": [2000, 3000], "kernel": 1, "user": 2}},
            "memory": {"usage": {"usage": 7, "limit": 9}, "raw": {"hierarchical_memory_limit": 9, "rss": 4}},
        });
        let any = of(&counted).unwrap();
        assert_eq!(any.type_url, "io.containerd.cgroups.v1.Metrics");
        let metrics = typed::unpack::<Metrics>(&any).unwrap().unwrap();
        assert_eq!(metrics.memory.rss, 4);
        assert_eq!(metrics.memory.usage.usage, 7);
        assert_eq!(metrics.cpu.usage.per_cpu, [2000, 3000]);
        let counted = json!({
            "pids": {"current": 3},
            "cpu": {"usage": {"total": 5000, "kernel": 1000, "user": 4000}},
            "memory": {"usage": {"usage": 7, "limit": 9}, "raw": {"anon": 4}},
        });
        let any = of(&counted).unwrap();
        assert_eq!(any.type_url, "io.containerd.cgroups.v2.Metrics");
        let metrics = typed::unpack::<unified::Metrics>(&any).unwrap().unwrap();
        assert_eq!(
            (
                metrics.cpu.usage_usec,
                metrics.memory.anon,
                metrics.pids.current
            ),
            (5, 4, 3)
        );
    }
}
