//! The `config.json` that `spec` writes: a beginning for an editor, as runc and crun write it.

use serde_json::{Value, json};

use crate::container::survey_cgroups;
use crate::features::OCI_VERSION_MAX;

/// A spec that runs `sh` in `rootfs` with few capabilities, a terminal and its own namespaces; for a caller
/// with these ids who isn't root, in a user namespace.
pub fn spec(rootless: Option<(u32, u32)>) -> Value {
    let mut spec = json!({
        "ociVersion": OCI_VERSION_MAX,
        "process": process(),
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "opt-runtime",
        "mounts": mounts(rootless.is_some()),
        "linux": {
            "namespaces": namespaces(rootless.is_some()),
            "maskedPaths": [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    });
    match rootless {
        Some((uid, gid)) => {
            let mapping = |id: u32| json!([{ "containerID": 0, "hostID": id, "size": 1 }]);
            spec["linux"]["uidMappings"] = mapping(uid);
            spec["linux"]["gidMappings"] = mapping(gid);
        }
        // Who isn't root can't rely on a cgroup to set it in.
        None => {
            spec["linux"]["resources"] =
                json!({ "devices": [{ "allow": false, "access": "rwm" }] });
        }
    }
    spec
}

fn process() -> Value {
    let capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    json!({
        "terminal": true,
        "user": { "uid": 0, "gid": 0 },
        "args": ["sh"],
        "env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TERM=xterm",
        ],
        "cwd": "/",
        "capabilities": {
            "bounding": capabilities,
            "effective": capabilities,
            "permitted": capabilities,
        },
        "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
        "noNewPrivileges": true,
    })
}

fn namespaces(rootless: bool) -> Value {
    // A host's network can't be set up for a new namespace without privilege, so it is shared then.
    let last = if rootless { "user" } else { "network" };
    // As with runc: on version 1 a cgroup mount shows the container's own cgroup anyway.
    let cgroup = has_only_version_2().then_some("cgroup");
    let kinds = ["pid", "ipc", "uts", "mount", last]
        .into_iter()
        .chain(cgroup);
    kinds.map(|kind| json!({ "type": kind })).collect()
}

fn has_only_version_2() -> bool {
    let all = survey_cgroups().unwrap_or_default();
    !all.is_empty() && all.iter().all(|hierarchy| hierarchy.is_unified)
}

fn mounts(rootless: bool) -> Value {
    // Group 5, tty, isn't mapped where only one id is.
    let terminals: &[&str] = match rootless {
        true => &[
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            "mode=0620",
        ],
        false => &[
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            "mode=0620",
            "gid=5",
        ],
    };
    let shm = ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"];
    let mut mounts = vec![
        mount("proc", "/proc", &[]),
        mount(
            "tmpfs",
            "/dev",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount("devpts", "/dev/pts", terminals),
        mount("tmpfs", "/dev/shm", &shm),
        mount("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]),
    ];
    if rootless {
        // sysfs can't be mounted without a network namespace of one's own.
        let options = ["rbind", "nosuid", "noexec", "nodev", "ro"];
        let mut host = mount("none", "/sys", &options);
        host["source"] = json!("/sys");
        mounts.push(host);
    } else {
        mounts.push(mount("sysfs", "/sys", &["nosuid", "noexec", "nodev", "ro"]));
        let options = ["nosuid", "noexec", "nodev", "relatime", "ro"];
        mounts.push(mount("cgroup", "/sys/fs/cgroup", &options));
    }
    mounts.into()
}

fn mount(kind: &str, destination: &str, options: &[&str]) -> Value {
    json!({ "destination": destination, "type": kind, "source": kind, "options": options })
}

#[cfg(test)]
mod tests {
    use oci_spec::runtime::Spec;

    use super::*;

    #[test]
    fn both_are_specs() {
        for rootless in [None, Some((1000, 1000))] {
            let read: Spec = serde_json::from_value(spec(rootless)).unwrap();
            assert_eq!(read.version(), OCI_VERSION_MAX);
            let linux = read.linux().as_ref().unwrap();
            assert_eq!(linux.uid_mappings().is_some(), rootless.is_some());
        }
    }
}
