//! Nothing leads out of the container's tree.

use std::path::Path;

use oci_spec::runtime::{Linux, LinuxNamespaceType, Mount, Spec};

use crate::promise::observed_mount::{each_mount, top};
use crate::promise::spec_view::{
    has_mapped_ids, is_bind, is_plain_path, is_read_only, is_recursive, linux, mounts, namespaces,
    options,
};
use crate::promise::{Kind, MASKED_PATHS, MountPoint, Observed, Protection, READONLY_PATHS};

pub(crate) const ROW: Protection = Protection {
    name: "no way back",
    reason: "Shifter: \"should not be able to re-escalate afterwards\"; the \"shared\" mount strategy \"will remove the mounts from Shifter's strict control\"",
    meaning: "another root, no mount propagates to the host, kernel settings in /proc are hidden or read-only, no cgroup tree",
    lesser: None,
    in_config,
    on_process,
};

const PROPAGATES: [&str; 2] = ["shared", "rshared"];

/// What of the host's `/sys` may be shown to whoever can't mount one of their own: no cgroups, no debugging, no firmware.
/// MPI and OpenMP look there for processors and network cards.
pub const SYS_PARTS: [&str; 7] = [
    "/sys/block",
    "/sys/bus",
    "/sys/class",
    "/sys/dev",
    "/sys/devices",
    "/sys/kernel/mm",
    "/sys/module",
];

/// More file systems that hold the kernel's own settings and records, and nothing that a command needs.
const KERNEL_FILE_SYSTEMS: [&str; 7] = [
    "bpf",
    "configfs",
    "debugfs",
    "efivarfs",
    "pstore",
    "securityfs",
    "tracefs",
];

fn in_config(spec: &Spec, kind: Kind) -> Vec<String> {
    let mut broken = vec![];
    let Some(linux) = linux(spec) else {
        return vec!["linux is absent".to_owned()];
    };
    if let Some(propagation) = linux.rootfs_propagation().as_deref()
        && !["private", "rprivate", "slave", "rslave"].contains(&propagation)
    {
        broken.push(format!("linux.rootfsPropagation is {propagation}"));
    }
    let mut procs = 0;
    for (index, mount) in mounts(spec).iter().enumerate() {
        procs += usize::from(mount.typ().as_deref() == Some("proc"));
        let finding = leads_out(mount, spec, kind)
            .or_else(|| (procs > 1).then(|| "is a second proc, without masks".to_owned()));
        if let Some(finding) = finding {
            let destination = mount.destination().display();
            broken.push(format!("mounts[{index}] {destination} {finding}"));
        }
    }
    broken.extend(uncovered(linux));
    if kind == Kind::OptServer && !root_is_read_only(spec) {
        broken.push("root.readonly is not true".to_owned());
    }
    if kind >= Kind::Shifter && spec.hooks().is_some() {
        broken.push("hooks would run on the host".to_owned());
    }
    broken
}

fn root_is_read_only(spec: &Spec) -> bool {
    spec.root().as_ref().and_then(|root| root.readonly()) == Some(true)
}

fn leads_out(mount: &Mount, spec: &Spec, kind: Kind) -> Option<String> {
    if let Some(option) = options(mount)
        .iter()
        .find(|option| PROPAGATES.contains(&option.as_str()))
    {
        return Some(format!("is {option}"));
    }
    let destination = mount.destination();
    if !is_plain_path(destination) {
        return Some("is no absolute path, or has . or .. in it".to_owned());
    }
    if destination == Path::new("/") {
        return Some("covers the whole root".to_owned());
    }
    let is_shown = kind != Kind::OptServer && is_part_of_sys(mount, spec);
    if is_bind(mount)
        && !is_shown
        && let Some(finding) = source_leads_out(mount)
    {
        return Some(finding);
    }
    match mount.typ().as_deref() {
        Some(typ @ ("cgroup" | "cgroup2")) => return Some(format!("is a {typ} mount")),
        Some("proc") if destination != Path::new("/proc") => {
            return Some("is a second proc, without masks".to_owned());
        }
        Some("sysfs") if kind == Kind::OptServer || !is_read_only(mount) => {
            let how = if is_read_only(mount) { "" } else { "writable " };
            return Some(format!("is a {how}sysfs"));
        }
        Some(typ) if kind == Kind::OptServer && KERNEL_FILE_SYSTEMS.contains(&typ) => {
            return Some(format!("is a {typ} mount"));
        }
        _ => {}
    }
    let over_proc = destination.starts_with("/proc")
        && (mount.typ().as_deref() != Some("proc") || is_bind(mount));
    over_proc.then(|| "covers /proc".to_owned())
}

/// Whether `mount` shows one of [`SYS_PARTS`] where it is on the host, read-only, in a container that sees the host's
/// network and for which the kernel mounts no sysfs: it has a user namespace.
fn is_part_of_sys(mount: &Mount, spec: &Spec) -> bool {
    let destination = mount.destination();
    SYS_PARTS.iter().any(|part| destination == Path::new(part))
        && mount.source().as_ref() == Some(destination)
        && is_read_only(mount)
        && !is_recursive(mount)
        && has_mapped_ids(spec)
        && !namespaces(spec).any(|(typ, _)| typ == LinuxNamespaceType::Network)
}

/// The host's own view of the kernel must not come in by a bind mount. Where symbolic links in the source
/// lead, only the created process shows.
fn source_leads_out(mount: &Mount) -> Option<String> {
    let Some(source) = mount.source() else {
        return Some("has no source".to_owned());
    };
    let shown = source.display();
    if !is_plain_path(source) {
        return Some(format!(
            "has the source \"{shown}\": no absolute path, or with . or .. in it"
        ));
    }
    let holds_all = source == Path::new("/") && is_recursive(mount);
    let is_kernels = ["/proc", "/sys"].iter().any(|top| source.starts_with(top));
    (holds_all || is_kernels || source == Path::new("/dev"))
        .then(|| format!("has the source {shown}: the host's /proc, /sys or /dev"))
}

/// What the lists of masked and read-only paths lack, and what in them nobody can rely on. An entry above a
/// path, or one written in another way, doesn't cover it: libcontainer skips what it doesn't find.
fn uncovered(linux: &Linux) -> Vec<String> {
    let lists = [
        ("maskedPaths", &MASKED_PATHS[..], linux.masked_paths()),
        ("readonlyPaths", &READONLY_PATHS[..], linux.readonly_paths()),
    ];
    let mut broken = vec![];
    for (key, wanted, have) in lists {
        let have = have.as_deref().unwrap_or_default();
        let lacking = wanted
            .iter()
            .filter(|path| !have.iter().any(|entry| entry == *path));
        broken.extend(lacking.map(|path| format!("linux.{key} lacks {path}")));
        let unclear = have.iter().filter(|path| !is_plain_path(Path::new(path)));
        broken.extend(unclear.map(|path| {
            format!("linux.{key} holds \"{path}\": no absolute path, or with . or .. in it")
        }));
    }
    broken
}

fn on_process(observed: &Observed, spec: &Spec, kind: Kind) -> Vec<String> {
    let mut broken = vec![];
    if observed.root_is_host_root {
        broken.push("its root is ours".to_owned());
    }
    let mut procs = 0;
    for mount in &observed.mounts {
        let path = mount.path.display();
        if mount.shared {
            broken.push(format!("{path} is in a shared peer group"));
        }
        procs += usize::from(is_whole_proc(mount));
        if let Some(finding) = shows_kernel(mount, spec, kind) {
            broken.push(format!("{path} {finding}"));
        }
    }
    if procs > 1 {
        broken.push(format!("/proc is mounted {procs} times"));
    }
    broken.extend(uncovered_in(observed));
    broken.extend(writable(observed, spec));
    broken
}

fn is_whole_proc(mount: &MountPoint) -> bool {
    mount.file_system == "proc" && mount.path == Path::new("/proc") && mount.root == Path::new("/")
}

/// What is wrong with a mount of a file system of the kernel's.
fn shows_kernel(mount: &MountPoint, spec: &Spec, kind: Kind) -> Option<String> {
    let file_system = mount.file_system.as_str();
    match file_system {
        "proc" => (!is_whole_proc(mount) && !is_read_only_path(mount, spec)).then(|| {
            let root = mount.root.display();
            format!("is {root} of a proc, where it doesn't belong")
        }),
        "devtmpfs" if mount.root == Path::new("/") => Some("is the host's /dev".to_owned()),
        "cgroup" | "cgroup2" => Some(format!("is a {file_system} mount")),
        "sysfs" if kind != Kind::OptServer && mount.has("ro") => None,
        "sysfs" => Some("is a sysfs mount".to_owned()),
        _ if kind == Kind::OptServer && KERNEL_FILE_SYSTEMS.contains(&file_system) => {
            Some(format!("is a {file_system} mount"))
        }
        _ => None,
    }
}

/// Whether `mount` is one of the read-only paths: a part of /proc mounted on itself.
fn is_read_only_path(mount: &MountPoint, spec: &Spec) -> bool {
    let paths = linux(spec).and_then(|linux| linux.readonly_paths().as_ref());
    let listed = paths
        .into_iter()
        .flatten()
        .any(|path| mount.path == Path::new(path));
    let on_itself = mount.path.strip_prefix("/proc").ok() == mount.root.strip_prefix("/").ok();
    listed && on_itself && mount.has("ro")
}

/// The masked and read-only paths of this kernel that show through, where the process has the proc or sysfs that they are in.
fn uncovered_in(observed: &Observed) -> Vec<String> {
    let is_kernels = |mount: &&MountPoint| ["proc", "sysfs"].contains(&mount.file_system.as_str());
    let kernels: Vec<&MountPoint> = observed.mounts.iter().filter(is_kernels).collect();
    let is_there = |path: &Path| kernels.iter().any(|mount| path.starts_with(&mount.path));
    let mut broken = vec![];
    for path in observed.existing_paths.iter().filter(|path| is_there(path)) {
        let seen = top(observed, path);
        let masked = seen.is_some_and(|mount| !is_kernels(&mount));
        let read_only = seen.is_some_and(|mount| mount.has("ro"));
        let is_to_be_masked = MASKED_PATHS.iter().any(|entry| path.as_os_str() == *entry);
        if is_to_be_masked && !masked {
            broken.push(format!("{} is not masked", path.display()));
        } else if !masked && !read_only {
            broken.push(format!("{} is not read-only", path.display()));
        }
    }
    broken
}

/// What the spec says is read-only, and isn't.
fn writable(observed: &Observed, spec: &Spec) -> Vec<String> {
    let root = Path::new("/");
    let mut broken = vec![];
    if root_is_read_only(spec) && !top(observed, root).is_some_and(|line| line.has("ro")) {
        broken.push("/ is not read-only".to_owned());
    }
    for (mount, line) in each_mount(observed, spec) {
        if is_read_only(mount) && !line.is_some_and(|line| line.has("ro")) {
            broken.push(format!(
                "{} is not read-only",
                mount.destination().display()
            ));
        }
    }
    broken
}
