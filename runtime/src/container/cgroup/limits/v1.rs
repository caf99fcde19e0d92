//! `linux.resources` as files of cgroup version 1, in an order that the kernel takes.

use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxNetwork, LinuxResources,
    LinuxThrottleDevice,
};

use super::super::super::{Error, Result};
use super::common::{pids, rdma, set};
use super::setting::Setting;

/// All settings but those of devices. Zero means "not set" wherever runc and crun take it so.
///
/// # Errors
/// [`Error::Unsupported`] for what version 1 has no file for.
pub(super) fn settings(resources: &LinuxResources) -> Result<Vec<Setting>> {
    if resources
        .unified()
        .as_ref()
        .is_some_and(|map| !map.is_empty())
    {
        return Err(Error::unsupported(
            "linux.resources.unified",
            "invalid configuration: the host's cgroups are of version 1",
        ));
    }
    let mut all = vec![];
    all.extend(resources.memory().as_ref().map(memory).unwrap_or_default());
    all.extend(resources.cpu().as_ref().map(cpu).unwrap_or_default());
    all.extend(pids(resources));
    all.extend(
        resources
            .block_io()
            .as_ref()
            .map(block_io)
            .unwrap_or_default(),
    );
    all.extend(huge_pages(
        resources.hugepage_limits().as_deref().unwrap_or_default(),
    ));
    all.extend(
        resources
            .network()
            .as_ref()
            .map(network)
            .unwrap_or_default(),
    );
    all.extend(rdma(resources));
    Ok(all)
}

fn memory(memory: &LinuxMemory) -> Vec<Setting> {
    let new = |key, file: &str, value: String| Setting::new(key, "memory", file, value);
    let limit = set(memory.limit());
    // Without a limit on memory, one on memory and swap together makes no sense.
    let swap = set(memory.swap()).or(limit.filter(|limit| *limit == -1));
    let mut all = vec![];
    // The limit can't be above that of memory and swap together, so which is to be written first depends
    // on the values that are there.
    all.extend(
        limit.map(|limit| {
            new("memory.limit", "memory.limit_in_bytes", limit.to_string()).may_wait()
        }),
    );
    all.extend(swap.map(|swap| {
        let setting = new(
            "memory.swap",
            "memory.memsw.limit_in_bytes",
            swap.to_string(),
        );
        // Where the kernel doesn't account swap, unlimited is what it is.
        if swap == -1 {
            setting.or_skip()
        } else {
            setting
        }
    }));
    // Without effect since Linux 5.16: runc ignores it always, crun writes it.
    all.extend(set(memory.kernel()).map(|kernel| {
        new(
            "memory.kernel",
            "memory.kmem.limit_in_bytes",
            kernel.to_string(),
        )
        .or_skip()
    }));
    all.extend(set(memory.reservation()).map(|reservation| {
        let file = "memory.soft_limit_in_bytes";
        new("memory.reservation", file, reservation.to_string())
    }));
    all.extend(set(memory.kernel_tcp()).map(|limit| {
        let file = "memory.kmem.tcp.limit_in_bytes";
        new("memory.kernelTCP", file, limit.to_string())
    }));
    all.extend(memory.swappiness().map(|swappiness| {
        new(
            "memory.swappiness",
            "memory.swappiness",
            swappiness.to_string(),
        )
    }));
    if memory.disable_oom_killer() == Some(true) {
        all.push(new(
            "memory.disableOOMKiller",
            "memory.oom_control",
            "1".into(),
        ));
    }
    all.extend(memory.use_hierarchy().map(|is_used| {
        let value = u8::from(is_used).to_string();
        new("memory.useHierarchy", "memory.use_hierarchy", value)
    }));
    all
}

fn cpu(cpu: &LinuxCpu) -> Vec<Setting> {
    let new = |key, file: &str, value: String| Setting::new(key, "cpu", file, value);
    let mut all = vec![];
    all.extend(
        set(cpu.shares())
            .map(|shares| new("cpu.shares", "cpu.shares", shares.to_string()).reads_back()),
    );
    // A period, or a burst, may be too much for the quota that is there, and not for the one to come.
    all.extend(
        set(cpu.period())
            .map(|period| new("cpu.period", "cpu.cfs_period_us", period.to_string()).may_wait()),
    );
    all.extend(
        cpu.burst()
            .map(|burst| new("cpu.burst", "cpu.cfs_burst_us", burst.to_string()).may_wait()),
    );
    all.extend(
        set(cpu.quota()).map(|quota| new("cpu.quota", "cpu.cfs_quota_us", quota.to_string())),
    );
    all.extend(
        cpu.idle()
            .map(|idle| new("cpu.idle", "cpu.idle", idle.to_string())),
    );
    // Likewise of the real-time pair.
    all.extend(set(cpu.realtime_period()).map(|period| {
        new("cpu.realtimePeriod", "cpu.rt_period_us", period.to_string()).may_wait()
    }));
    all.extend(set(cpu.realtime_runtime()).map(|runtime| {
        new(
            "cpu.realtimeRuntime",
            "cpu.rt_runtime_us",
            runtime.to_string(),
        )
    }));
    for (key, file, value) in [
        ("cpu.cpus", "cpuset.cpus", cpu.cpus()),
        ("cpu.mems", "cpuset.mems", cpu.mems()),
    ] {
        let value = value.as_ref().filter(|value| !value.is_empty());
        all.extend(value.map(|value| Setting::new(key, "cpuset", file, value)));
    }
    all
}

fn block_io(io: &LinuxBlockIo) -> Vec<Setting> {
    let new = |key, file: &str, value: String| Setting::new(key, "blkio", file, value);
    let mut all = vec![];
    all.extend(set(io.weight()).map(|weight| {
        new("blockIO.weight", "blkio.weight", weight.to_string()).or_use("blkio.bfq.weight", weight)
    }));
    all.extend(set(io.leaf_weight()).map(|weight| {
        new(
            "blockIO.leafWeight",
            "blkio.leaf_weight",
            weight.to_string(),
        )
    }));
    for device in io.weight_device().iter().flatten() {
        let number = format!("{}:{}", device.major(), device.minor());
        all.extend(set(device.weight()).map(|weight| {
            let value = format!("{number} {weight}");
            new("blockIO.weightDevice", "blkio.weight_device", value.clone())
                .or_use("blkio.bfq.weight_device", value)
        }));
        all.extend(set(device.leaf_weight()).map(|weight| {
            let file = "blkio.leaf_weight_device";
            new(
                "blockIO.weightDevice.leafWeight",
                file,
                format!("{number} {weight}"),
            )
        }));
    }
    let mut throttle = |key, file, devices: &Option<Vec<LinuxThrottleDevice>>| {
        all.extend(devices.iter().flatten().map(|device| {
            let value = format!("{}:{} {}", device.major(), device.minor(), device.rate());
            new(key, file, value)
        }));
    };
    throttle(
        "blockIO.throttleReadBpsDevice",
        "blkio.throttle.read_bps_device",
        io.throttle_read_bps_device(),
    );
    throttle(
        "blockIO.throttleWriteBpsDevice",
        "blkio.throttle.write_bps_device",
        io.throttle_write_bps_device(),
    );
    throttle(
        "blockIO.throttleReadIOPSDevice",
        "blkio.throttle.read_iops_device",
        io.throttle_read_iops_device(),
    );
    throttle(
        "blockIO.throttleWriteIOPSDevice",
        "blkio.throttle.write_iops_device",
        io.throttle_write_iops_device(),
    );
    all
}

fn huge_pages(limits: &[LinuxHugepageLimit]) -> Vec<Setting> {
    let settings = limits.iter().flat_map(|limit| {
        let (size, limit) = (limit.page_size(), limit.limit());
        let file = |infix| format!("hugetlb.{size}{infix}.limit_in_bytes");
        let new = |file| Setting::new("hugepageLimits", "hugetlb", file, limit);
        // Linux 5.7 and later limit reservations too; before, there are none to be limited.
        [new(file("")), new(file(".rsvd")).or_skip()]
    });
    settings.collect()
}

fn network(network: &LinuxNetwork) -> Vec<Setting> {
    let mut all = vec![];
    all.extend(
        set(network.class_id())
            .map(|class| Setting::new("network.classID", "net_cls", "net_cls.classid", class)),
    );
    all.extend(network.priorities().iter().flatten().map(|priority| {
        let value = format!("{} {}", priority.name(), priority.priority());
        Setting::new(
            "network.priorities",
            "net_prio",
            "net_prio.ifpriomap",
            value,
        )
    }));
    all
}
