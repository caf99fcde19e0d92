//! Rewriting any spec so that it keeps the promise.

mod privilege;
#[cfg(test)]
mod tests;

use std::path::Path;

use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, LinuxPids, Mount, Spec};

use super::exceptions;
use super::rows::{few_system_calls, nothing_inherited::is_handed_down};
use super::spec_view::{enforces, is_own_dev, is_plain_path, is_recursive};
use super::{KIND_ANNOTATION, Kind};
use crate::seccomp;

pub use privilege::RunAs;
use privilege::{change_identity, drop_groups, drop_privilege};

/// Kernel interfaces that tell about the host or reach its hardware: hidden in every sealed bundle.
pub const MASKED_PATHS: [&str; 32] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/bootconfig",
    "/proc/buddyinfo",
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/consoles",
    "/proc/crypto",
    "/proc/diskstats",
    "/proc/interrupts",
    "/proc/iomem",
    "/proc/ioports",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/latency_stats",
    "/proc/modules",
    "/proc/partitions",
    "/proc/pressure",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/swaps",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/tty",
    "/proc/zoneinfo",
    // Where a container has the kernel's /sys, as Shifter's.
    "/sys/firmware",
    "/sys/kernel/boot_params",
    "/sys/kernel/notes",
    "/sys/kernel/vmcoreinfo",
];

/// Kernel settings: read-only in every sealed bundle.
pub const READONLY_PATHS: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Processes in a sandbox where nothing else says how many: enough for a parallel solver or a `make -j`.
const DEFAULT_PIDS_LIMIT: i64 = 512;

/// Rewrites `spec` so that it keeps the promise of `kind`, and says what changed, one sentence each.
///
/// Sealing a sealed spec changes nothing, and the exceptions that the spec asks for stay. What can't be decided
/// for the caller is left for [`check`](super::check) to name: an identity that is root on the host, a mount
/// over `/proc`, an added device.
pub fn seal(spec: &mut Spec, kind: Kind) -> Vec<String> {
    seal_as(spec, kind, None)
}

/// [`seal`], with somebody else for an identity that is root on the host.
pub fn seal_as(spec: &mut Spec, kind: Kind, run_as: Option<RunAs>) -> Vec<String> {
    // Before anybody asks who is who on the host: the user namespace that stays decides.
    let mut changes = drop_earlier_namespaces(spec);
    changes.extend(run_as.map_or_else(Vec::new, |other| change_identity(spec, other)));
    changes.extend(keep_promise(spec, kind));
    changes
}

fn keep_promise(spec: &mut Spec, kind: Kind) -> Vec<String> {
    let steps: [fn(&mut Spec, Kind) -> Vec<String>; 9] = [
        annotate,
        drop_groups,
        drop_privilege,
        shut_mounts,
        filter_system_calls,
        separate_world,
        hide_kernel,
        clean_environment,
        bound,
    ];
    steps
        .into_iter()
        .flat_map(|step| step(spec, kind))
        .collect()
}

fn annotate(spec: &mut Spec, kind: Kind) -> Vec<String> {
    let annotations = spec.annotations_mut().get_or_insert_default();
    let old = annotations.insert(KIND_ANNOTATION.to_owned(), kind.as_str().to_owned());
    if old.as_deref() == Some(kind.as_str()) {
        return vec![];
    }
    vec![format!(
        "annotation {KIND_ANNOTATION} set to {}",
        kind.as_str()
    )]
}

fn shut_mounts(spec: &mut Spec, _: Kind) -> Vec<String> {
    let mut changes = vec![];
    let Some(mounts) = spec.mounts_mut() else {
        return changes;
    };
    mounts.retain(|mount| {
        let cgroup = matches!(mount.typ().as_deref(), Some("cgroup" | "cgroup2"));
        if cgroup {
            changes.push(format!("mount {} removed", mount.destination().display()));
        }
        !cgroup
    });
    for mount in mounts {
        for option in ["nosuid", "nodev"] {
            let own_dev = option == "nodev" && is_own_dev(mount);
            if !own_dev && !enforces(mount, option) {
                enforce(mount, option);
                changes.push(format!(
                    "mount {} made {option}",
                    mount.destination().display()
                ));
            }
        }
    }
    changes
}

fn enforce(mount: &mut Mount, option: &str) {
    let undone = option.strip_prefix("no").unwrap_or(option);
    let recursive = is_recursive(mount);
    let mut options = mount.options().clone().unwrap_or_default();
    options.retain(|have| have != undone && *have != format!("r{undone}"));
    options.push(option.to_owned());
    if recursive {
        options.push(format!("r{option}"));
    }
    mount.set_options(Some(options));
}

fn filter_system_calls(spec: &mut Spec, kind: Kind) -> Vec<String> {
    let kept = (few_system_calls::ROW.in_config)(spec, kind).is_empty();
    if kept {
        return vec![];
    }
    let profile = match kind {
        // Another engine's container has the network that the engine gave it, Shifter's has the host's, and parallel
        // programs.
        Kind::Sealed => seccomp::networked(),
        Kind::Shifter => seccomp::parallel(),
        Kind::OptServer if exceptions::has_host_network(spec) => seccomp::networked(),
        Kind::OptServer => seccomp::opt_server(),
    };
    // What no machine of this kind has can't be let pass, and a profile that names it wouldn't be read alike everywhere.
    let mut calls = exceptions::system_calls(spec);
    calls.retain(|name| seccomp::syscall_number(name).is_some());
    let profile = seccomp::with_calls(profile.to_oci(), &calls);
    let linux = spec.linux_mut().get_or_insert_default();
    linux.set_seccomp(Some(profile));
    vec!["linux.seccomp replaced by the sealed profile".to_owned()]
}

/// Of several namespaces of a type the last one stays: it is the one that libcontainer takes.
fn drop_earlier_namespaces(spec: &mut Spec) -> Vec<String> {
    let mut changes = vec![];
    let linux = spec.linux_mut().as_mut();
    let Some(namespaces) = linux.and_then(|linux| linux.namespaces_mut().as_mut()) else {
        return changes;
    };
    let mut index = 0;
    while let Some((first, later)) = namespaces[index..].split_first() {
        let typ = first.typ();
        if later.iter().any(|other| other.typ() == typ) {
            namespaces.remove(index);
            changes.push(format!("an earlier {typ} namespace removed"));
        } else {
            index += 1;
        }
    }
    changes
}

fn separate_world(spec: &mut Spec, kind: Kind) -> Vec<String> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Uts};
    let wanted: &[LinuxNamespaceType] = match kind {
        Kind::Sealed | Kind::Shifter => &[Mount, Pid],
        // A user namespace needs mappings, which only the caller can choose.
        Kind::OptServer => &[Mount, Pid, Ipc, Uts, Network, Cgroup],
    };
    let hosts_network = exceptions::has_host_network(spec);
    let linux = spec.linux_mut().get_or_insert_default();
    let mut changes = vec![];
    if let Some("shared" | "rshared" | "unbindable") = linux.rootfs_propagation().as_deref() {
        linux.set_rootfs_propagation(Some("private".to_owned()));
        changes.push("linux.rootfsPropagation made private".to_owned());
    }
    let namespaces = linux.namespaces_mut().get_or_insert_default();
    let wanted = wanted
        .iter()
        .filter(|typ| !(hosts_network && **typ == Network));
    for typ in wanted {
        if !namespaces
            .iter()
            .any(|have| have.typ() == *typ && have.path().is_none())
        {
            namespaces.retain(|have| have.typ() != *typ);
            let mut namespace = LinuxNamespace::default();
            namespace.set_typ(*typ);
            namespaces.push(namespace);
            changes.push(format!("a {typ} namespace of its own"));
        }
    }
    changes
}

fn hide_kernel(spec: &mut Spec, _: Kind) -> Vec<String> {
    let linux = spec.linux_mut().get_or_insert_default();
    let mut changes = vec![];
    let mut masked = linux.masked_paths().clone().unwrap_or_default();
    changes.extend(add_missing(&mut masked, &MASKED_PATHS, "masked"));
    linux.set_masked_paths(Some(masked));
    let mut readonly = linux.readonly_paths().clone().unwrap_or_default();
    changes.extend(add_missing(&mut readonly, &READONLY_PATHS, "read-only"));
    linux.set_readonly_paths(Some(readonly));
    changes
}

fn add_missing(have: &mut Vec<String>, wanted: &[&str], how: &str) -> Vec<String> {
    let mut changes = vec![];
    have.retain(|path| {
        let plain = is_plain_path(Path::new(path));
        if !plain {
            changes.push(format!(
                "\"{path}\" removed from what is {how}: not a plain path"
            ));
        }
        plain
    });
    for path in wanted {
        if !have.iter().any(|present| present == path) {
            have.push((*path).to_owned());
            changes.push(format!("{path} made {how}"));
        }
    }
    changes
}

fn clean_environment(spec: &mut Spec, kind: Kind) -> Vec<String> {
    let mut changes = vec![];
    if let Some(env) = spec
        .process_mut()
        .as_mut()
        .and_then(|process| process.env_mut().as_mut())
    {
        env.retain(|entry| {
            let name = entry.split('=').next().unwrap_or_default();
            let handed_down = is_handed_down(entry, kind);
            if handed_down {
                changes.push(format!("process.env: {name} removed"));
            }
            !handed_down
        });
    }
    if kind >= Kind::Shifter && spec.hooks().is_some() {
        spec.set_hooks(None);
        changes.push("hooks removed".to_owned());
    }
    changes
}

fn bound(spec: &mut Spec, kind: Kind) -> Vec<String> {
    if kind != Kind::OptServer {
        return vec![];
    }
    let mut changes = vec![];
    if let Some(root) = spec.root_mut()
        && root.readonly() != Some(true)
    {
        root.set_readonly(Some(true));
        changes.push("root made read-only".to_owned());
    }
    let resources = spec
        .linux_mut()
        .get_or_insert_default()
        .resources_mut()
        .get_or_insert_default();
    if resources
        .pids()
        .as_ref()
        .is_none_or(|pids| pids.limit() <= 0)
    {
        let mut pids = LinuxPids::default();
        pids.set_limit(DEFAULT_PIDS_LIMIT);
        resources.set_pids(Some(pids));
        changes.push(format!("at most {DEFAULT_PIDS_LIMIT} processes"));
    }
    changes
}
