//! Any bundle at all: what is in it is of the right form, and seldom makes sense.

use serde_json::{Map, Value, json};

use super::Choices;

const PATHS: [&str; 22] = [
    "/",
    "/proc",
    "/proc/sys",
    "/proc/self/attr",
    "/sys",
    "/sys/fs/cgroup",
    "/dev",
    "/dev/shm",
    "/dev/pts",
    "/dev/mqueue",
    "/tmp",
    "/data",
    "/data/",
    "//data",
    "/data/../proc",
    "/./dev",
    "data",
    "",
    "/etc/passwd",
    "/sys/devices",
    "/proc/kcore",
    "/a b\n",
];

const OPTIONS: [&str; 36] = [
    "nosuid",
    "suid",
    "nodev",
    "dev",
    "noexec",
    "exec",
    "ro",
    "rw",
    "bind",
    "rbind",
    "rnosuid",
    "rsuid",
    "rnodev",
    "rdev",
    "rro",
    "rrw",
    "private",
    "rprivate",
    "slave",
    "rslave",
    "shared",
    "rshared",
    "unbindable",
    "runbindable",
    "mode=1777",
    "size=65536k",
    "gid=5",
    "noatime",
    "relatime",
    "tmpcopyup",
    "idmap",
    "ridmap",
    "remount",
    "nosymfollow",
    "",
    "x",
];

const TYPES: [&str; 15] = [
    "bind", "tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "none", "overlay",
    "debugfs", "bpf", "tracefs", "ext4", "",
];

const CAPABILITIES: [&str; 6] = [
    "CAP_CHOWN",
    "CAP_SYS_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETUID",
    "CAP_SYS_PTRACE",
    "CAP_BPF",
];

const NAMESPACES: [&str; 8] = [
    "mount", "pid", "ipc", "uts", "network", "cgroup", "user", "time",
];

const IDS: [u32; 8] = [
    0,
    1,
    1000,
    65_534,
    65_536,
    0x7000_0000,
    u32::MAX - 1,
    u32::MAX,
];

const ENVIRONMENT: [&str; 14] = [
    "PATH=/bin",
    "HOME=/tmp",
    "LD_PRELOAD=/x.so",
    "LD_PRELOAD=/opt/udiImage/x.so",
    "LD_PRELOAD=/opt/udiImage/../x",
    "LD_AUDIT=/y",
    "LISTEN_FDS=3",
    "LISTEN_PID=1",
    "PMI_FD=5",
    "NOVALUE",
    "=x",
    "",
    "A=b=c",
    "LD_LIBRARY_PATH=/l",
];

/// A bundle's specification.
pub fn wild(choices: &mut Choices<'_>) -> Value {
    let mut spec = json!({ "ociVersion": "1.0.2", "root": { "path": "rootfs" } });
    if choices.once_in(2) {
        spec["root"]["readonly"] = json!(choices.once_in(2));
    }
    if !choices.once_in(8) {
        spec["process"] = process(choices);
    }
    if !choices.once_in(8) {
        spec["linux"] = linux(choices);
    }
    if !choices.once_in(8) {
        spec["mounts"] = (0..choices.below(6)).map(|_| mount(choices)).collect();
    }
    if choices.once_in(4) {
        let name = choices.one(&[
            "prestart",
            "createRuntime",
            "createContainer",
            "startContainer",
            "poststop",
        ]);
        spec["hooks"] = json!({ name: [{ "path": "/bin/true" }] });
    }
    if choices.once_in(2) {
        spec["annotations"] = annotations(choices);
    }
    spec
}

fn annotations(choices: &mut Choices<'_>) -> Value {
    const KEYS: [&str; 14] = [
        "org.opt-runtime.sealed",
        "org.opt-runtime.why./data",
        "org.opt-runtime.exception.root",
        "org.opt-runtime.exception.host-network",
        "org.opt-runtime.exception.capability.CAP_CHOWN",
        "org.opt-runtime.exception.capability.CAP_SYS_ADMIN",
        "org.opt-runtime.exception.capability.CAP_NONE",
        "org.opt-runtime.exception.device./dev/fuse",
        "org.opt-runtime.exception.device./dev/../x",
        "org.opt-runtime.exception.system-call.unshare",
        "org.opt-runtime.exception.system-call.mount",
        "org.opt-runtime.exception.system-call.clone3",
        "org.opt-runtime.exception.system-call.nonesuch",
        "x",
    ];
    let mut all = Map::new();
    for key in choices.some(&KEYS, 5) {
        let value = choices.one(&["sealed", "shifter", "opt-server", "a reason", "", "sealed "]);
        all.insert(key.to_owned(), json!(value));
    }
    Value::Object(all)
}

fn process(choices: &mut Choices<'_>) -> Value {
    let mut process = json!({
        "cwd": choices.one(&["/", "/tmp", "/data", "relative", ""]),
        "args": ["/bin/true"],
        "user": user(choices),
    });
    if choices.once_in(2) {
        process["noNewPrivileges"] = json!(choices.once_in(2));
    }
    if choices.once_in(2) {
        process["env"] = json!(choices.some(&ENVIRONMENT, 5));
    }
    if choices.once_in(2) {
        let mut sets = Map::new();
        for set in [
            "bounding",
            "effective",
            "inheritable",
            "permitted",
            "ambient",
        ] {
            if !choices.once_in(4) {
                sets.insert(set.to_owned(), json!(choices.some(&CAPABILITIES, 3)));
            }
        }
        process["capabilities"] = Value::Object(sets);
    }
    process
}

fn user(choices: &mut Choices<'_>) -> Value {
    let mut user = json!({ "uid": choices.one(&IDS), "gid": choices.one(&IDS) });
    if choices.once_in(2) {
        user["additionalGids"] = json!(choices.some(&IDS, 3));
    }
    user
}

fn mount(choices: &mut Choices<'_>) -> Value {
    let mut mount = json!({ "destination": choices.one(&PATHS) });
    if !choices.once_in(6) {
        mount["type"] = json!(choices.one(&TYPES));
    }
    if !choices.once_in(6) {
        mount["source"] = json!(choices.one(&PATHS));
    }
    if !choices.once_in(6) {
        mount["options"] = json!(choices.some(&OPTIONS, 8));
    }
    if choices.once_in(12) {
        mount["uidMappings"] = mappings(choices);
        mount["gidMappings"] = mappings(choices);
    }
    mount
}

fn mappings(choices: &mut Choices<'_>) -> Value {
    let mapping = |choices: &mut Choices<'_>| {
        let size = choices.one(&[0u32, 1, 64, 65_536, u32::MAX]);
        json!({ "containerID": choices.one(&IDS), "hostID": choices.one(&IDS), "size": size })
    };
    (0..choices.below(3)).map(|_| mapping(choices)).collect()
}

fn linux(choices: &mut Choices<'_>) -> Value {
    let mut linux = json!({});
    if !choices.once_in(4) {
        linux["namespaces"] = (0..choices.below(9)).map(|_| namespace(choices)).collect();
    }
    if choices.once_in(2) {
        linux["uidMappings"] = mappings(choices);
    }
    if choices.once_in(2) {
        linux["gidMappings"] = mappings(choices);
    }
    for key in ["maskedPaths", "readonlyPaths"] {
        if choices.once_in(3) {
            linux[key] = json!(choices.some(&PATHS, 4));
        }
    }
    if choices.once_in(3) {
        let kinds = [
            "private",
            "rprivate",
            "slave",
            "rslave",
            "shared",
            "rshared",
            "unbindable",
            "",
        ];
        linux["rootfsPropagation"] = json!(choices.one(&kinds));
    }
    if choices.once_in(3) {
        linux["seccomp"] = seccomp(choices);
    }
    if choices.once_in(3) {
        let limit = choices.one(&[-1i64, 0, 1, 512, i64::MAX, i64::MIN]);
        linux["resources"] = json!({ "pids": { "limit": limit }, "memory": { "limit": limit } });
    }
    if choices.once_in(4) {
        linux["devices"] = (0..choices.below(3)).map(|_| device(choices)).collect();
    }
    linux
}

fn namespace(choices: &mut Choices<'_>) -> Value {
    let mut namespace = json!({ "type": choices.one(&NAMESPACES) });
    if choices.once_in(6) {
        namespace["path"] = json!(choices.one(&["/proc/1/ns/net", "", "/x"]));
    }
    namespace
}

fn device(choices: &mut Choices<'_>) -> Value {
    json!({
        "path": choices.one(&["/dev/fuse", "/dev/null", "/dev/sda", "/etc/x", "dev/x", "/dev/../x"]),
        "type": choices.one(&["c", "b", "p", "u"]),
        "major": choices.one(&[1i64, 10, 254, -1]),
        "minor": choices.one(&[3i64, 229, 0, -1]),
    })
}

fn seccomp(choices: &mut Choices<'_>) -> Value {
    const ACTIONS: [&str; 6] = [
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_KILL",
        "SCMP_ACT_LOG",
        "SCMP_ACT_NOTIFY",
        "SCMP_ACT_TRACE",
    ];
    const NAMES: [&str; 10] = [
        "read",
        "write",
        "mount",
        "clone",
        "clone3",
        "unshare",
        "socket",
        "ioctl",
        "nonesuch",
        "io_uring_setup",
    ];
    let rule = |choices: &mut Choices<'_>| {
        let mut rule = json!({ "names": choices.some(&NAMES, 5), "action": choices.one(&ACTIONS) });
        if choices.once_in(3) {
            let op = choices.one(&[
                "SCMP_CMP_EQ",
                "SCMP_CMP_NE",
                "SCMP_CMP_MASKED_EQ",
                "SCMP_CMP_GE",
            ]);
            let value = choices.number();
            rule["args"] =
                json!([{ "index": choices.below(7), "op": op, "value": value, "valueTwo": value }]);
        }
        rule
    };
    let rules: Vec<Value> = (0..choices.below(5)).map(|_| rule(choices)).collect();
    let mut seccomp = json!({ "defaultAction": choices.one(&ACTIONS), "syscalls": rules });
    if choices.once_in(2) {
        seccomp["defaultErrnoRet"] = json!(choices.one(&[1u32, 38, 0, 5000, u32::MAX]));
    }
    if choices.once_in(2) {
        let kinds = [
            "SCMP_ARCH_X86_64",
            "SCMP_ARCH_X86",
            "SCMP_ARCH_X32",
            "SCMP_ARCH_AARCH64",
        ];
        seccomp["architectures"] = json!(choices.some(&kinds, 3));
    }
    if choices.once_in(4) {
        seccomp["flags"] = json!(choices.some(
            &["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
            2
        ));
    }
    seccomp
}
