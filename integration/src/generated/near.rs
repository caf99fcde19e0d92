//! Bundles near a sealed one: what engines, sites and hostile authors might write instead, most of which a container
//! can be made from.

use serde_json::{Value, json};

use super::Choices;

/// What of the host's a made-up bundle may name.
#[derive(Debug, Clone)]
pub struct Place {
    /// A directory, with a file `file` and a directory `below` in it.
    pub directory: String,
    /// Likewise, with another mount on `below`.
    pub with_mount: String,
}

const DESTINATIONS: [&str; 14] = [
    "/data",
    "/data",
    "/data/below",
    "/data/",
    "//data",
    "/tmp/data",
    "/project/below",
    "/srv",
    "/dev/shm/data",
    "/usr",
    "/proc/sys",
    "/data/../srv",
    "/dev",
    "data",
];

const MORE: [&str; 30] = [
    "ro",
    "rw",
    "nosuid",
    "suid",
    "nodev",
    "dev",
    "noexec",
    "exec",
    "rnosuid",
    "rsuid",
    "rnodev",
    "rdev",
    "rro",
    "rrw",
    "rnoexec",
    "private",
    "rprivate",
    "slave",
    "rslave",
    "shared",
    "rshared",
    "unbindable",
    "noatime",
    "relatime",
    "strictatime",
    "nodiratime",
    "nosymfollow",
    "sync",
    "bind",
    "rbind",
];

/// Changes the bundle in some ways.
pub fn change(spec: &mut Value, choices: &mut Choices<'_>, place: &Place) {
    let kind = choices.one(&["opt-server", "sealed", "sealed", "shifter"]);
    spec["annotations"]["org.opt-runtime.sealed"] = json!(kind);
    if kind != "opt-server" {
        narrow(spec, choices);
    }
    for _ in 0..=choices.below(5) {
        choices.one(&CHANGES)(spec, choices, place);
    }
}

/// The other kinds promise fewer namespaces.
fn narrow(spec: &mut Value, choices: &mut Choices<'_>) {
    let dropped = choices.some(&["ipc", "uts", "network", "cgroup"], 3);
    let namespaces = list(&mut spec["linux"]["namespaces"]);
    namespaces.retain(|namespace| !dropped.iter().any(|kind| namespace["type"] == *kind));
    if choices.once_in(2) {
        namespaces.retain(|namespace| namespace["type"] != "user");
        for key in ["uidMappings", "gidMappings"] {
            spec["linux"].as_object_mut().expect("linux").remove(key);
        }
    }
}

type Change = fn(&mut Value, &mut Choices<'_>, &Place);

const CHANGES: [Change; 22] = [
    bind,
    bind,
    bind,
    nested,
    fresh,
    fresh,
    option,
    option,
    masked,
    readonly,
    identity,
    groups,
    variable,
    call,
    namespace,
    propagation,
    limit,
    capability,
    order,
    root,
    less,
    host,
];

fn list(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = json!([]);
    }
    value.as_array_mut().expect("a list")
}

fn sound_options(choices: &mut Choices<'_>) -> Vec<&'static str> {
    let mut options = match choices.below(5) {
        0 => vec!["bind", "nosuid", "nodev"],
        1 => vec!["bind", "ro", "nosuid", "nodev"],
        2 => vec!["rbind", "ro", "rnosuid", "rnodev"],
        3 => vec!["rbind", "rro", "rnosuid", "rnodev"],
        _ => vec!["rbind", "nosuid", "nodev", "rnosuid", "rnodev", "rslave"],
    };
    if choices.once_in(2) {
        options.extend(choices.some(&MORE, 3));
    }
    options
}

fn bind(spec: &mut Value, choices: &mut Choices<'_>, place: &Place) {
    let Place {
        directory,
        with_mount,
    } = place;
    let source = match choices.below(8) {
        0..3 => directory.clone(),
        3..5 => with_mount.clone(),
        5 => format!("{directory}/below"),
        6 => format!("{directory}/file"),
        _ => choices
            .one(&[
                "/",
                "/proc",
                "/sys/devices",
                "/dev",
                "/etc/../proc",
                "relative",
            ])
            .to_owned(),
    };
    let mount = json!({
        "destination": choices.one(&DESTINATIONS), "type": choices.one(&["bind", "bind", "bind", "none", ""]),
        "source": source, "options": sound_options(choices),
    });
    list(&mut spec["mounts"]).push(mount);
}

/// One mount below another.
fn nested(spec: &mut Value, choices: &mut Choices<'_>, place: &Place) {
    for (destination, source) in [
        ("/data", &place.directory),
        ("/data/below", &place.with_mount),
    ] {
        let mount = json!({
            "destination": destination, "type": "bind", "source": source, "options": sound_options(choices),
        });
        list(&mut spec["mounts"]).push(mount);
    }
}

fn fresh(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let kind = choices.one(&[
        "tmpfs", "tmpfs", "tmpfs", "mqueue", "devpts", "sysfs", "proc", "cgroup2", "ramfs",
    ]);
    let mut options = vec!["nosuid", "nodev"];
    options.extend(choices.some(&MORE[..26], 3));
    if kind == "tmpfs" {
        options.extend(choices.some(&["mode=755", "size=1m", "mode=1777", "nr_inodes=100"], 2));
    }
    let mount = json!({
        "destination": choices.one(&DESTINATIONS), "type": kind, "source": kind, "options": options,
    });
    list(&mut spec["mounts"]).push(mount);
}

/// Another option for a mount that is there.
fn option(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let mounts = list(&mut spec["mounts"]);
    let count = mounts.len();
    let options = list(&mut mounts[choices.below(count)]["options"]);
    let at = choices.below(options.len() + 1);
    options.insert(at, json!(choices.one(&MORE)));
}

fn masked(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let paths = [
        "/proc/meminfo",
        "/proc/mounts",
        "/usr/share",
        "/data/below",
        "/nonesuch",
        "/proc/../x",
        "/tmp",
    ];
    list(&mut spec["linux"]["maskedPaths"]).push(json!(choices.one(&paths)));
}

fn readonly(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let paths = [
        "/proc/self",
        "/usr",
        "/data",
        "/project",
        "/nonesuch",
        "/proc/driver",
        "relative",
    ];
    list(&mut spec["linux"]["readonlyPaths"]).push(json!(choices.one(&paths)));
}

fn identity(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let key = choices.one(&["uid", "gid"]);
    spec["process"]["user"][key] = json!(choices.one(&[1u32, 2, 63, 64, 1000, 0]));
}

fn groups(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let groups = choices.some(&[1u32, 2, 63, 64, 1000, 0], 3);
    spec["process"]["user"]["additionalGids"] = json!(groups);
}

fn variable(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let all = [
        "A=b",
        "EMPTY=",
        "LD_LIBRARY_PATH=/usr/lib",
        "LD_PRELOAD=/opt/udiImage/x",
        "LISTEN_FDS=1",
        "PMI_FD=3",
        "X",
    ];
    list(&mut spec["process"]["env"]).push(json!(choices.one(&all)));
}

fn call(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let names = [
        "getpid",
        "nonesuch",
        "mount",
        "io_uring_setup",
        "sched_setattr",
        "clone3",
        "flock",
    ];
    let action = choices.one(&[
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_LOG",
    ]);
    let rule = json!({ "names": [choices.one(&names)], "action": action });
    list(&mut spec["linux"]["seccomp"]["syscalls"]).push(rule);
}

fn namespace(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let kind = choices.one(&["ipc", "uts", "network", "cgroup", "mount", "pid", "time"]);
    let mut namespace = json!({ "type": kind });
    match choices.below(4) {
        0 => namespace["path"] = json!(format!("/proc/1/ns/{kind}")),
        1 => namespace["path"] = json!(""),
        _ => {}
    }
    list(&mut spec["linux"]["namespaces"]).push(namespace);
}

fn propagation(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let kinds = [
        "private",
        "rprivate",
        "slave",
        "rslave",
        "shared",
        "unbindable",
    ];
    spec["linux"]["rootfsPropagation"] = json!(choices.one(&kinds));
}

fn limit(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    spec["linux"]["resources"]["pids"] = json!({ "limit": choices.one(&[20i64, 100, 0, -1]) });
    if choices.once_in(2) {
        spec["linux"]["resources"]["memory"] = json!({ "limit": 64 << 20 });
    }
}

fn capability(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let set = choices.one(&[
        "bounding",
        "permitted",
        "ambient",
        "inheritable",
        "effective",
    ]);
    spec["process"]["capabilities"][set] = json!(choices.some(&["CAP_CHOWN", "CAP_SYS_ADMIN"], 1));
}

/// Two mounts change places.
fn order(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let mounts = list(&mut spec["mounts"]);
    let count = mounts.len();
    let (first, second) = (choices.below(count), choices.below(count));
    mounts.swap(first, second);
}

fn root(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    spec["root"]["readonly"] = json!(choices.once_in(2));
}

/// Something is missing.
fn less(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    let (above, key) = choices.one(&[
        ("/process", "noNewPrivileges"),
        ("/process", "capabilities"),
        ("/process", "rlimits"),
        ("/linux", "seccomp"),
        ("/linux", "maskedPaths"),
        ("/linux", "resources"),
        ("/process/user", "additionalGids"),
    ]);
    if let Some(object) = spec.pointer_mut(above).and_then(Value::as_object_mut) {
        object.remove(key);
    }
}

fn host(spec: &mut Value, choices: &mut Choices<'_>, _: &Place) {
    match choices.below(4) {
        0 => spec["hostname"] = json!("other"),
        1 => spec["process"]["oomScoreAdj"] = json!(500),
        2 => spec["process"]["cwd"] = json!(choices.one(&["/", "/usr", "/nonesuch", "/project"])),
        _ => {
            spec["process"]["rlimits"] =
                json!([{ "type": "RLIMIT_NOFILE", "soft": 64, "hard": 64 }])
        }
    }
}
