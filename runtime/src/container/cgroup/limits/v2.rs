//! `linux.resources` as files of cgroup version 2. The OCI spec's words are version 1's: values are
//! converted as runc and crun convert them.

use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxResources, LinuxThrottleDevice,
};

use super::super::super::{Error, Result};
use super::common::{pids, rdma, set};
use super::setting::Setting;

/// The kernel's period where none is given, microseconds (kernel documentation, cgroup-v2).
const DEFAULT_PERIOD: u64 = 100_000;

/// All settings but those of devices. Zero means "not set" wherever runc and crun take it so.
///
/// # Errors
/// [`Error::Unsupported`] for what version 2 has no file for, or makes no sense in it.
pub(super) fn settings(resources: &LinuxResources) -> Result<Vec<Setting>> {
    refuse_what_only_v1_has(resources)?;
    let mut all = vec![];
    if let Some(memory) = resources.memory() {
        all.extend(self::memory(memory)?);
    }
    all.extend(resources.cpu().as_ref().map(cpu).unwrap_or_default());
    all.extend(pids(resources));
    all.extend(
        resources
            .block_io()
            .as_ref()
            .map(block_io)
            .unwrap_or_default(),
    );
    all.extend(huge_pages(resources));
    all.extend(rdma(resources));
    all.extend(unified(resources)?);
    Ok(all)
}

fn refuse_what_only_v1_has(resources: &LinuxResources) -> Result<()> {
    let memory = resources.memory().as_ref();
    let cpu = resources.cpu().as_ref();
    let io = resources.block_io().as_ref();
    let network = resources.network().as_ref();
    let asked = [
        (
            "memory.kernel",
            memory.is_some_and(|memory| set(memory.kernel()).is_some()),
        ),
        (
            "memory.kernelTCP",
            memory.is_some_and(|memory| set(memory.kernel_tcp()).is_some()),
        ),
        (
            "memory.swappiness",
            memory.is_some_and(|memory| memory.swappiness().is_some()),
        ),
        (
            "memory.disableOOMKiller",
            memory.is_some_and(|memory| memory.disable_oom_killer() == Some(true)),
        ),
        (
            "memory.useHierarchy false",
            memory.is_some_and(|memory| memory.use_hierarchy() == Some(false)),
        ),
        (
            "cpu.realtimePeriod",
            cpu.is_some_and(|cpu| set(cpu.realtime_period()).is_some()),
        ),
        (
            "cpu.realtimeRuntime",
            cpu.is_some_and(|cpu| set(cpu.realtime_runtime()).is_some()),
        ),
        (
            "blockIO.leafWeight",
            io.is_some_and(|io| set(io.leaf_weight()).is_some()),
        ),
        (
            "network.classID",
            network.is_some_and(|network| set(network.class_id()).is_some()),
        ),
        (
            "network.priorities",
            network.is_some_and(|network| network.priorities().iter().flatten().next().is_some()),
        ),
    ];
    match asked.iter().find(|(_, is_asked)| *is_asked) {
        None => Ok(()),
        Some((key, _)) => Err(Error::unsupported(
            format!("linux.resources.{key}"),
            "the host's cgroups are of version 2, which has no such limit",
        )),
    }
}

fn memory(memory: &LinuxMemory) -> Result<Vec<Setting>> {
    let new = |key, file: &str, value: i64| Setting::new(key, "memory", file, or_max(value));
    let limit = set(memory.limit());
    let mut all = vec![];
    all.extend(swap(limit, set(memory.swap()))?.map(|swap| {
        let setting = new("memory.swap", "memory.swap.max", swap);
        // A kernel without swap has no such file, and neither of these needs one.
        if swap <= 0 {
            setting.or_skip()
        } else {
            setting
        }
    }));
    all.extend(limit.map(|limit| new("memory.limit", "memory.max", limit)));
    all.extend(
        set(memory.reservation())
            .map(|reservation| new("memory.reservation", "memory.low", reservation)),
    );
    Ok(all)
}

/// Version 2 limits swap itself, the OCI spec memory and swap together.
fn swap(limit: Option<i64>, both: Option<i64>) -> Result<Option<i64>> {
    let wrong = |reason: &str| Err(Error::unsupported("linux.resources.memory.swap", reason));
    match (limit, both) {
        (Some(-1), None) => Ok(Some(-1)),
        (_, None) => Ok(None),
        (_, Some(-1)) => Ok(Some(-1)),
        (Some(-1), Some(both)) => Ok(Some(both)),
        (None, Some(_)) => wrong("it needs a limit on memory as well"),
        (Some(limit), Some(both)) if both < limit => {
            wrong("it is memory and swap together, and can't be less than memory.limit")
        }
        (Some(limit), Some(both)) => Ok(Some(both - limit)),
    }
}

fn or_max(value: i64) -> String {
    if value < 0 {
        "max".to_owned()
    } else {
        value.to_string()
    }
}

fn cpu(cpu: &LinuxCpu) -> Vec<Setting> {
    let new = |key, file: &str, value: String| Setting::new(key, "cpu", file, value);
    let mut all = vec![];
    all.extend(
        cpu.idle()
            .map(|idle| new("cpu.idle", "cpu.idle", idle.to_string())),
    );
    all.extend(set(cpu.shares()).map(|shares| {
        new(
            "cpu.shares",
            "cpu.weight",
            weight_of_shares(shares).to_string(),
        )
    }));
    // It may be too much for the quota that is there, and not for the one to come.
    all.extend(
        cpu.burst()
            .map(|burst| new("cpu.burst", "cpu.max.burst", burst.to_string()).may_wait()),
    );
    let (quota, period) = (set(cpu.quota()), set(cpu.period()));
    if quota.is_some() || period.is_some() {
        let quota = or_max(quota.unwrap_or(-1));
        let period = period.unwrap_or(DEFAULT_PERIOD);
        all.push(new("cpu.quota", "cpu.max", format!("{quota} {period}")));
    }
    for (key, file, value) in [
        ("cpu.cpus", "cpuset.cpus", cpu.cpus()),
        ("cpu.mems", "cpuset.mems", cpu.mems()),
    ] {
        let value = value.as_ref().filter(|value| !value.is_empty());
        all.extend(value.map(|value| Setting::new(key, "cpuset", file, value)));
    }
    all
}

/// Shares of 2 to 262144 as a weight of 1 to 10000, and the one's default, 1024, as the other's, 100: the
/// curve through these three that runc, crun and youki agree on.
pub(in crate::container::cgroup) fn weight_of_shares(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        // Exact: such numbers have at most 18 bits.
        _ => {
            let log = f64::from(u32::try_from(shares).unwrap_or(u32::MAX)).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            10_f64.powf(exponent).ceil() as u64
        }
    }
}

fn block_io(io: &LinuxBlockIo) -> Vec<Setting> {
    let new = |key, file: &str, value: String| Setting::new(key, "io", file, value);
    let mut all = vec![];
    all.extend(set(io.weight()).map(|weight| {
        let weight = u64::from(weight);
        new("blockIO.weight", "io.bfq.weight", weight.to_string())
            .or_use("io.weight", weight_of_block_io(weight))
    }));
    for device in io.weight_device().iter().flatten() {
        // A leaf weight besides is ignored, as runc and crun do: version 2 has no processes but in leaves.
        all.extend(set(device.weight()).map(|weight| {
            let value = format!("{}:{} {weight}", device.major(), device.minor());
            new("blockIO.weightDevice", "io.bfq.weight", value)
        }));
    }
    let mut throttle = |key, name, devices: &Option<Vec<LinuxThrottleDevice>>| {
        all.extend(devices.iter().flatten().map(|device| {
            let value = format!(
                "{}:{} {name}={}",
                device.major(),
                device.minor(),
                device.rate()
            );
            new(key, "io.max", value)
        }));
    };
    throttle(
        "blockIO.throttleReadBpsDevice",
        "rbps",
        io.throttle_read_bps_device(),
    );
    throttle(
        "blockIO.throttleWriteBpsDevice",
        "wbps",
        io.throttle_write_bps_device(),
    );
    throttle(
        "blockIO.throttleReadIOPSDevice",
        "riops",
        io.throttle_read_iops_device(),
    );
    throttle(
        "blockIO.throttleWriteIOPSDevice",
        "wiops",
        io.throttle_write_iops_device(),
    );
    all
}

/// Linear from 10..=1000 to 1..=10000, as runc and crun have it.
pub(in crate::container::cgroup) fn weight_of_block_io(weight: u64) -> u64 {
    1 + weight.saturating_sub(10) * 9999 / 990
}

/// Version 2's limits on huge pages; the hybrid layout has them there too.
pub(super) fn huge_pages(resources: &LinuxResources) -> Vec<Setting> {
    let limits: &[LinuxHugepageLimit] = resources.hugepage_limits().as_deref().unwrap_or_default();
    let settings = limits.iter().flat_map(|limit| {
        let (size, limit) = (limit.page_size(), limit.limit());
        let file = |infix| format!("hugetlb.{size}{infix}.max");
        let new = |file| Setting::new("hugepageLimits", "hugetlb", file, limit);
        // Linux 5.7 and later limit reservations too; before, there are none to be limited.
        [new(file("")), new(file(".rsvd")).or_skip()]
    });
    settings.collect()
}

/// The files that the bundle names itself; last, so that they override all else.
fn unified(resources: &LinuxResources) -> Result<Vec<Setting>> {
    let mut keys: Vec<(&String, &String)> = resources.unified().iter().flatten().collect();
    keys.sort();
    let mut all = vec![];
    for (file, value) in keys {
        let wrong = |reason: &str| {
            let key = format!("linux.resources.unified: \"{file}\"");
            Err(Error::unsupported(key, reason))
        };
        if file.contains('/') {
            return wrong("it must be a file's name, without a slash");
        }
        let Some((controller, _)) = file.split_once('.') else {
            return wrong("it must have the form CONTROLLER.PARAMETER");
        };
        let controller = super::common::CONTROLLERS
            .into_iter()
            .find(|known| *known == controller)
            .unwrap_or("unified");
        // The kernel takes one line from each write.
        all.extend(
            value
                .lines()
                .map(|line| Setting::new("unified", controller, file, line)),
        );
    }
    Ok(all)
}
