//! Limits and devices as the OCI spec has them. What needs a clock or eyes on the output is the runtime's.

use oci_spec::runtime::{
    LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceType, LinuxMemory, LinuxPids,
    LinuxResources, PosixRlimit, PosixRlimitBuilder, PosixRlimitType,
};

use super::config::Limits;
use super::devices::Device;

/// Shared memory, in bytes; never more than the temporary directory.
const SHARED_MEMORY: u64 = 256 << 20;

/// Memory and processes; no device but those that every container gets, and `devices`.
pub(super) fn resources(limits: &Limits, devices: &[Device]) -> LinuxResources {
    let mut resources = LinuxResources::default();
    let mut none = LinuxDeviceCgroup::default();
    none.set_allow(false).set_access(Some("rwm".to_owned()));
    let rules = std::iter::once(none).chain(devices.iter().map(rule));
    resources.set_devices(Some(rules.collect()));
    if let Some(bytes) = limits.memory_bytes() {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let mut memory = LinuxMemory::default();
        // Memory and swap together: no more of the second.
        memory.set_limit(Some(bytes)).set_swap(Some(bytes));
        resources.set_memory(Some(memory));
    }
    // Where it isn't limited, sealing sets a limit.
    if let Some(most) = limits.max_processes {
        let mut pids = LinuxPids::default();
        // The sandbox's first process is ours.
        pids.set_limit(i64::try_from(most + 1).unwrap_or(i64::MAX));
        resources.set_pids(Some(pids));
    }
    resources
}

fn rule(device: &Device) -> LinuxDeviceCgroup {
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(true)
        .set_typ(Some(LinuxDeviceType::C))
        .set_major(Some(device.major.into()))
        .set_minor(Some(device.minor.into()))
        .set_access(Some("rw".to_owned()));
    rule
}

/// The devices themselves.
pub(super) fn nodes(devices: &[Device]) -> Option<Vec<LinuxDevice>> {
    let node = |device: &Device| {
        LinuxDeviceBuilder::default()
            .path(&device.path)
            .typ(LinuxDeviceType::C)
            .major(i64::from(device.major))
            .minor(i64::from(device.minor))
            .build()
            .ok()
    };
    let nodes: Vec<LinuxDevice> = devices.iter().filter_map(node).collect();
    (!nodes.is_empty()).then_some(nodes)
}

/// How much later than the processor time of all processes together that of a single one ends, seconds: only
/// for when nobody counts the former.
const CPU_TIME_LATER: u64 = 2;

/// No core files, and limits on files and on each process's processor time.
pub(super) fn rlimits(limits: &Limits) -> Vec<PosixRlimit> {
    let later = limits.grace().as_secs() + CPU_TIME_LATER;
    let cpu_time = limits.max_cpu_time.map(|seconds| seconds + later);
    let all = [
        (PosixRlimitType::RlimitCore, Some(0)),
        (PosixRlimitType::RlimitCpu, cpu_time),
        (PosixRlimitType::RlimitFsize, limits.max_file_size),
        (PosixRlimitType::RlimitNofile, limits.max_open_files),
    ];
    all.into_iter()
        .filter_map(|(typ, limit)| {
            let limit = limit?;
            PosixRlimitBuilder::default()
                .typ(typ)
                .hard(limit)
                .soft(limit)
                .build()
                .ok()
        })
        .collect()
}

/// The mount options that bound the temporary directory, and shared memory.
pub(super) fn sizes(limits: &Limits) -> (String, String) {
    match limits.scratch_size {
        None => ("size=1g".to_owned(), "size=256m".to_owned()),
        Some(bytes) => (
            format!("size={bytes}"),
            format!("size={}", bytes.min(SHARED_MEMORY)),
        ),
    }
}
