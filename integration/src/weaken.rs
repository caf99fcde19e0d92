//! Ways to take one protection away from a sealed bundle's `config.json`.

use serde_json::{Value, json};

/// One way to break one row of the promise.
#[derive(Clone, Copy)]
pub struct Weakening {
    /// The row's name, as `check` prints it.
    pub row: &'static str,
    /// What is done to the spec.
    pub what: &'static str,
    /// Does it.
    pub apply: fn(&mut Value),
}

impl std::fmt::Debug for Weakening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.row, self.what)
    }
}

/// The ways to break the row `row`.
pub fn of(row: &str) -> Vec<Weakening> {
    let all = all();
    let found: Vec<_> = all.into_iter().filter(|way| way.row == row).collect();
    assert!(!found.is_empty(), "no such row: {row}");
    found
}

/// All of them.
pub fn all() -> Vec<Weakening> {
    [PRIVILEGE, MOUNTS, CALLS, IDENTITY, WORLD, WAY_BACK, REST]
        .concat()
        .iter()
        .map(|(row, what, apply)| Weakening {
            row,
            what,
            apply: *apply,
        })
        .collect()
}

type Row = (&'static str, &'static str, fn(&mut Value));

/// The mount on `destination`.
fn mount<'a>(spec: &'a mut Value, destination: &str) -> &'a mut Value {
    let mounts = spec["mounts"].as_array_mut().expect("mounts");
    let mut found = mounts
        .iter_mut()
        .filter(|mount| mount["destination"] == destination);
    found.next().expect("the mount")
}

fn options<'a>(spec: &'a mut Value, destination: &str) -> &'a mut Vec<Value> {
    let options = &mut mount(spec, destination)["options"];
    options.as_array_mut().expect("options")
}

fn drop_option(spec: &mut Value, destination: &str, option: &str) {
    let options = options(spec, destination);
    let before = options.len();
    options.retain(|have| have != option);
    assert!(options.len() < before, "{destination} has no {option}");
}

fn push(list: &mut Value, item: Value) {
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut().expect("a list").push(item);
}

fn remove(object: &mut Value, key: &str) {
    let removed = object.as_object_mut().expect("an object").remove(key);
    assert!(removed.is_some(), "there is no {key}");
}

fn take_out(list: &mut Value, item: &str) {
    let list = list.as_array_mut().expect("a list");
    let before = list.len();
    list.retain(|have| have != item);
    assert!(list.len() < before, "there is no {item}");
}

fn add_mount(spec: &mut Value, destination: &str, kind: &str, options: &[&str]) {
    let mount = json!({
        "destination": destination, "type": kind, "source": kind, "options": options,
    });
    push(&mut spec["mounts"], mount);
}

fn drop_namespace(spec: &mut Value, kind: &str) {
    let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("a list");
    let before = namespaces.len();
    namespaces.retain(|namespace| namespace["type"] != kind);
    assert!(namespaces.len() < before, "there is no {kind} namespace");
}

fn join_namespace(spec: &mut Value, kind: &str, path: &str) {
    drop_namespace(spec, kind);
    let joined = json!({ "type": kind, "path": path });
    push(&mut spec["linux"]["namespaces"], joined);
}

fn give_capability(spec: &mut Value, set: &str) {
    spec["process"]["capabilities"][set] = json!(["CAP_CHOWN"]);
}

fn allow_call(spec: &mut Value, names: &[&str]) {
    let profile = &mut spec["linux"]["seccomp"];
    let rules = profile["syscalls"].as_array_mut().expect("rules");
    for rule in rules.iter_mut() {
        let kept = rule["names"].as_array_mut().expect("names");
        kept.retain(|name| !names.iter().any(|other| name == other));
    }
    rules.retain(|rule| {
        rule["names"]
            .as_array()
            .is_some_and(|names| !names.is_empty())
    });
    rules.push(json!({ "names": names, "action": "SCMP_ACT_ALLOW" }));
}

#[rustfmt::skip]
const PRIVILEGE: &[Row] = &[
    ("no privilege", "no capabilities key", |spec| remove(&mut spec["process"], "capabilities")),
    ("no privilege", "empty capabilities key", |spec| spec["process"]["capabilities"] = json!({})),
    ("no privilege", "a bounding capability", |spec| give_capability(spec, "bounding")),
    ("no privilege", "a permitted capability", |spec| give_capability(spec, "permitted")),
    ("no privilege", "an effective capability", |spec| give_capability(spec, "effective")),
    ("no privilege", "an inheritable capability", |spec| give_capability(spec, "inheritable")),
    ("no privilege", "an ambient capability", |spec| give_capability(spec, "ambient")),
    ("no privilege", "no bounding set", |spec| remove(&mut spec["process"]["capabilities"], "bounding")),
    ("none to gain", "noNewPrivileges false", |spec| spec["process"]["noNewPrivileges"] = json!(false)),
    ("none to gain", "no noNewPrivileges", |spec| remove(&mut spec["process"], "noNewPrivileges")),
];

#[rustfmt::skip]
const MOUNTS: &[Row] = &[
    ("setuid is dead", "project without nosuid", |spec| drop_option(spec, "/project", "nosuid")),
    ("setuid is dead", "/tmp without nosuid", |spec| drop_option(spec, "/tmp", "nosuid")),
    ("setuid is dead", "/proc without nosuid", |spec| drop_option(spec, "/proc", "nosuid")),
    ("setuid is dead", "/dev without nosuid", |spec| drop_option(spec, "/dev", "nosuid")),
    ("setuid is dead", "suid after nosuid", |spec| options(spec, "/project").push(json!("suid"))),
    ("setuid is dead", "rbind without rnosuid", |spec| options(spec, "/project").push(json!("rbind"))),
    ("no devices", "project without nodev", |spec| drop_option(spec, "/project", "nodev")),
    ("no devices", "/dev/shm without nodev", |spec| drop_option(spec, "/dev/shm", "nodev")),
    ("no devices", "dev after nodev", |spec| options(spec, "/tmp").push(json!("dev"))),
    ("no devices", "rbind without rnodev", |spec| options(spec, "/project").push(json!("rbind"))),
    ("no devices", "the host's /dev", |spec| {
        let dev = mount(spec, "/dev");
        dev["type"] = json!("bind");
        dev["source"] = json!("/dev");
        dev["options"] = json!(["bind", "nosuid"]);
    }),
    ("no devices", "a disk in linux.devices", |spec| {
        let disk = json!({ "path": "/dev/disk", "type": "b", "major": 254, "minor": 0 });
        push(&mut spec["linux"]["devices"], disk);
    }),
];

#[rustfmt::skip]
const CALLS: &[Row] = &[
    ("few system calls", "no profile", |spec| remove(&mut spec["linux"], "seccomp")),
    ("few system calls", "default allow", |spec| spec["linux"]["seccomp"]["defaultAction"] = json!("SCMP_ACT_ALLOW")),
    ("few system calls", "default log", |spec| spec["linux"]["seccomp"]["defaultAction"] = json!("SCMP_ACT_LOG")),
    ("few system calls", "default errno EPERM", |spec| spec["linux"]["seccomp"]["defaultErrnoRet"] = json!(1)),
    ("few system calls", "no default errno", |spec| remove(&mut spec["linux"]["seccomp"], "defaultErrnoRet")),
    ("few system calls", "mount allowed", |spec| allow_call(spec, &["mount"])),
    ("few system calls", "unshare allowed", |spec| allow_call(spec, &["unshare"])),
    ("few system calls", "clone with any flag", |spec| allow_call(spec, &["clone"])),
    ("few system calls", "clone3 allowed", |spec| allow_call(spec, &["clone3"])),
    ("few system calls", "any socket", |spec| allow_call(spec, &["socket"])),
    ("few system calls", "any ioctl", |spec| allow_call(spec, &["ioctl"])),
    ("few system calls", "any chmod", |spec| allow_call(spec, &["chmod"])),
    ("few system calls", "io_uring", |spec| allow_call(spec, &["io_uring_setup", "io_uring_enter"])),
    ("few system calls", "an empty profile", |spec| spec["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW" })),
];

#[rustfmt::skip]
const IDENTITY: &[Row] = &[
    ("nobody", "uid 1 is the host's root", |spec| {
        spec["linux"]["uidMappings"] = json!([{ "containerID": 1, "hostID": 0, "size": 1 }]);
    }),
    ("nobody", "gid 1 is the host's root", |spec| {
        spec["linux"]["gidMappings"] = json!([{ "containerID": 1, "hostID": 0, "size": 1 }]);
    }),
    ("nobody", "an unmapped uid", |spec| spec["process"]["user"]["uid"] = json!(70_000)),
    ("nobody", "no mappings", |spec| remove(&mut spec["linux"], "uidMappings")),
    ("nobody", "a group of the host's root", |spec| {
        push(&mut spec["linux"]["gidMappings"], json!({ "containerID": 900, "hostID": 0, "size": 1 }));
        spec["process"]["user"]["additionalGids"] = json!([900]);
    }),
];

#[rustfmt::skip]
const WORLD: &[Row] = &[
    ("own world", "no mount namespace", |spec| drop_namespace(spec, "mount")),
    ("own world", "no pid namespace", |spec| drop_namespace(spec, "pid")),
    ("own world", "no ipc namespace", |spec| drop_namespace(spec, "ipc")),
    ("own world", "no uts namespace", |spec| drop_namespace(spec, "uts")),
    ("own world", "no network namespace", |spec| drop_namespace(spec, "network")),
    ("own world", "no cgroup namespace", |spec| drop_namespace(spec, "cgroup")),
    ("own world", "no user namespace", |spec| drop_namespace(spec, "user")),
    ("own world", "the host's network", |spec| join_namespace(spec, "network", "/proc/1/ns/net")),
    ("own world", "the host's processes", |spec| join_namespace(spec, "pid", "/proc/1/ns/pid")),
    ("own world", "no namespaces at all", |spec| spec["linux"]["namespaces"] = json!([])),
];

#[rustfmt::skip]
const WAY_BACK: &[Row] = &[
    ("no way back", "a shared root", |spec| spec["linux"]["rootfsPropagation"] = json!("shared")),
    ("no way back", "a shared project", |spec| options(spec, "/project").push(json!("rshared"))),
    ("no way back", "kcore is not masked", |spec| take_out(&mut spec["linux"]["maskedPaths"], "/proc/kcore")),
    ("no way back", "no masked paths", |spec| remove(&mut spec["linux"], "maskedPaths")),
    ("no way back", "/proc/sys is writable", |spec| take_out(&mut spec["linux"]["readonlyPaths"], "/proc/sys")),
    ("no way back", "no read-only paths", |spec| remove(&mut spec["linux"], "readonlyPaths")),
    ("no way back", "a cgroup mount", |spec| add_mount(spec, "/sys/fs/cgroup", "cgroup", &["ro", "nosuid", "nodev"])),
    ("no way back", "a second proc", |spec| add_mount(spec, "/proc2", "proc", &["nosuid", "nodev", "noexec"])),
    ("no way back", "a mount over /proc/sys", |spec| add_mount(spec, "/proc/sys", "tmpfs", &["nosuid", "nodev"])),
    ("no way back", "a writable sysfs", |spec| add_mount(spec, "/sys", "sysfs", &["nosuid", "nodev"])),
    ("no way back", "a writable root", |spec| spec["root"]["readonly"] = json!(false)),
    ("no way back", "a hook", |spec| spec["hooks"] = json!({ "createRuntime": [{ "path": "/bin/true" }] })),
];

#[rustfmt::skip]
const REST: &[Row] = &[
    ("nothing inherited", "LD_PRELOAD", |spec| push(&mut spec["process"]["env"], json!("LD_PRELOAD=/project/x.so"))),
    ("nothing inherited", "LISTEN_FDS", |spec| push(&mut spec["process"]["env"], json!("LISTEN_FDS=3"))),
    ("nothing inherited", "an entry without =", |spec| push(&mut spec["process"]["env"], json!("NOVALUE"))),
    ("bounded", "no limit on processes", |spec| remove(&mut spec["linux"]["resources"], "pids")),
    ("bounded", "a limit of 0", |spec| spec["linux"]["resources"]["pids"]["limit"] = json!(0)),
    ("bounded", "an unlimited limit", |spec| spec["linux"]["resources"]["pids"]["limit"] = json!(-1)),
    ("bounded", "no resources", |spec| remove(&mut spec["linux"], "resources")),
];
