//! What both versions of cgroups have in common.

use oci_spec::runtime::LinuxResources;

use super::setting::Setting;

/// The controllers of version 2 that a file can belong to.
pub(super) const CONTROLLERS: [&str; 8] = [
    "cpu", "cpuset", "hugetlb", "io", "memory", "misc", "pids", "rdma",
];

/// A value, unless it is the zero by which runc, crun and their callers mean "not set".
pub(in crate::container::cgroup) fn set<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|value| *value != T::default())
}

/// The number of processes; negative means no limit.
pub(super) fn pids(resources: &LinuxResources) -> Option<Setting> {
    let limit = set(resources
        .pids()
        .as_ref()
        .map(oci_spec::runtime::LinuxPids::limit))?;
    let value = if limit < 0 {
        "max".to_owned()
    } else {
        limit.to_string()
    };
    Some(Setting::new("pids.limit", "pids", "pids.max", value))
}

/// Remote memory access, by device.
pub(super) fn rdma(resources: &LinuxResources) -> Vec<Setting> {
    let mut devices: Vec<_> = resources.rdma().iter().flatten().collect();
    devices.sort_by_key(|(name, _)| *name);
    let settings = devices.into_iter().map(|(name, limit)| {
        let mut value = name.clone();
        if let Some(handles) = limit.hca_handles() {
            value += &format!(" hca_handle={handles}");
        }
        if let Some(objects) = limit.hca_objects() {
            value += &format!(" hca_object={objects}");
        }
        Setting::new("rdma", "rdma", "rdma.max", value)
    });
    settings.collect()
}
