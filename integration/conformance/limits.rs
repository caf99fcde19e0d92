//! Resource limits, and what else the process and the kernel are set to.

use std::fs;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::harness::{Case, ensure_eq, hold};
use crate::namespaces::leave_out;

/// Every name, with a value that nobody has, and the line of /proc/self/limits.
const LIMITS: [(&str, u64, &str); 16] = [
    ("RLIMIT_AS", 1 << 41, "Max address space"),
    ("RLIMIT_CORE", 4096, "Max core file size"),
    ("RLIMIT_CPU", 1111, "Max cpu time"),
    ("RLIMIT_DATA", 1 << 42, "Max data size"),
    ("RLIMIT_FSIZE", 1 << 35, "Max file size"),
    ("RLIMIT_LOCKS", 111, "Max file locks"),
    ("RLIMIT_MEMLOCK", 65536, "Max locked memory"),
    ("RLIMIT_MSGQUEUE", 40960, "Max msgqueue size"),
    ("RLIMIT_NICE", 0, "Max nice priority"),
    ("RLIMIT_NOFILE", 333, "Max open files"),
    ("RLIMIT_NPROC", 444, "Max processes"),
    ("RLIMIT_RSS", 1 << 36, "Max resident set"),
    ("RLIMIT_RTPRIO", 0, "Max realtime priority"),
    ("RLIMIT_RTTIME", 1_000_000, "Max realtime timeout"),
    ("RLIMIT_SIGPENDING", 222, "Max pending signals"),
    ("RLIMIT_STACK", 4 << 20, "Max stack size"),
];

fn sysctl(name: &'static str, key: &'static str, value: &'static str) -> Case {
    Case::new(name).spec(move |spec| spec["linux"]["sysctl"] = json!({ key: value }))
}

fn with_limits(name: &'static str, limits: Value) -> Case {
    Case::new(name).spec(move |spec| spec["process"]["rlimits"] = limits.clone())
}

#[test]
fn limits() {
    let all: Vec<Value> = LIMITS
        .iter()
        .map(|(name, value, _)| json!({ "type": name, "soft": value, "hard": value }))
        .collect();
    hold(&[
        with_limits("all that there are", json!(all))
            .script("cat /proc/self/limits")
            .check(|_, outcome| {
                for (name, value, line) in LIMITS {
                    let found = outcome.stdout.lines().find(|text| text.starts_with(line));
                    let found = found.unwrap_or_default()[line.len()..].split_whitespace();
                    let value = value.to_string();
                    ensure_eq!(
                        found.take(2).collect::<Vec<_>>(),
                        [value.as_str(), value.as_str()],
                        "{name}"
                    );
                }
                Ok(())
            }),
        with_limits(
            "one above its own hard limit is refused",
            json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 50 }]),
        )
        .refused("RLIMIT_NOFILE"),
        // fs.nr_open is the end of it, for root as well.
        with_limits(
            "one above what the kernel gives is refused",
            json!([{ "type": "RLIMIT_NOFILE", "soft": 1u64 << 40, "hard": 1u64 << 40 }]),
        )
        .refused("RLIMIT_NOFILE"),
        with_limits(
            "the same twice is refused",
            json!([
                { "type": "RLIMIT_NOFILE", "soft": 50, "hard": 50 },
                { "type": "RLIMIT_NOFILE", "soft": 60, "hard": 60 },
            ]),
        )
        .refused("RLIMIT_NOFILE"),
    ]);
}

#[test]
fn limits_and_attributes() {
    hold(&[
        Case::new("rlimits")
            .spec(|spec| {
                spec["process"]["rlimits"] = json!([
                    { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
                    { "type": "RLIMIT_NPROC", "soft": 100, "hard": 200 },
                ]);
            })
            .script("grep -E 'core file|Max processes' /proc/self/limits | tr -s ' '")
            .check(|_, outcome| {
                let lines: Vec<&str> = outcome.stdout.lines().map(str::trim).collect();
                ensure_eq!(
                    lines,
                    [
                        "Max core file size 0 0 bytes",
                        "Max processes 100 200 processes"
                    ],
                    "limits"
                );
                Ok(())
            }),
        Case::new("a limit that nobody knows is refused")
            .spec(|spec| {
                spec["process"]["rlimits"] = json!([{ "type": "RLIMIT_FOO", "soft": 0, "hard": 0 }])
            })
            .refused("RLIMIT_FOO"),
        Case::new("oomScoreAdj")
            .spec(|spec| spec["process"]["oomScoreAdj"] = json!(321))
            .script("cat /proc/self/oom_score_adj")
            .prints("321"),
        Case::steps("every processor of its cgroup, not only those of the caller", |stage| {
            let all = sched_getaffinity(Pid::from_raw(0)).map_err(|errno| errno.to_string())?;
            let mut processors = (0..CpuSet::count()).filter(|one| all.is_set(*one).unwrap_or(false));
            let mut first = CpuSet::new();
            first.set(processors.next().expect("a processor")).expect("there is it");
            let script = "grep Cpus_allowed_list /proc/self/status; grep Cpus_allowed_list /proc/1/status";
            stage.edit(|spec| spec["process"]["args"] = json!(["sh", "-c", script]));
            // Of this thread, which starts the runtime.
            sched_setaffinity(Pid::from_raw(0), &first).map_err(|errno| errno.to_string())?;
            let outcome = stage.run();
            sched_setaffinity(Pid::from_raw(0), &all).map_err(|errno| errno.to_string())?;
            let own = fs::read_to_string("/proc/thread-self/status").expect("read");
            let wanted = own.lines().find(|line| line.starts_with("Cpus_allowed_list"));
            for line in outcome.stdout.lines() {
                ensure_eq!(Some(line.trim()), wanted, "{outcome}");
            }
            ensure_eq!(outcome.stdout.lines().count(), 2, "{outcome}");
            Ok(())
        })
        .but_runc("before 1.4 it stays with the caller's, from Linux 6.2 on")
        .but_crun("before 1.9 it stays with the caller's, from Linux 6.2 on"),
        Case::new("sysctls of its namespaces")
            .spec(|spec| {
                spec["linux"]["sysctl"] =
                    json!({ "net.ipv4.ip_forward": "1", "kernel.msgmax": "4242" })
            })
            .script("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax")
            .prints("1\n4242"),
        Case::new("a sysctl of the host's is refused")
            .spec(|spec| spec["linux"]["sysctl"] = json!({ "kernel.panic": "1" }))
            .refused("kernel.panic"),
        sysctl(
            "one of messages, in an ipc namespace",
            "fs.mqueue.msg_max",
            "11",
        )
        .script("cat /proc/sys/fs/mqueue/msg_max")
        .prints("11"),
        sysctl("one with slashes", "net/ipv4/ip_forward", "1")
            .script("cat /proc/sys/net/ipv4/ip_forward")
            .prints("1"),
        sysctl(
            "one of the network, without a namespace for it",
            "net.ipv4.ip_forward",
            "1",
        )
        .spec(|spec| leave_out(spec, "network"))
        .refused("net.ipv4.ip_forward"),
        sysctl(
            "one of messages, without a namespace for it",
            "kernel.msgmax",
            "4242",
        )
        .spec(|spec| leave_out(spec, "ipc"))
        .refused("kernel.msgmax"),
        sysctl("the hostname's", "kernel.hostname", "box").refused("kernel.hostname"),
        sysctl(
            "one that leads elsewhere",
            "net.ipv4/../../kernel/panic",
            "1",
        )
        .refused("panic"),
        Case::new("a profile without AppArmor is passed over")
            .spec(|spec| spec["process"]["apparmorProfile"] = json!("no-such-profile"))
            .script("echo yes")
            .prints("yes")
            .but_runc("it refuses it")
            .but_crun("it refuses it"),
        Case::new("labels without SELinux are passed over")
            .spec(|spec| {
                spec["process"]["selinuxLabel"] = json!("system_u:system_r:container_t:s0");
                spec["linux"]["mountLabel"] = json!("system_u:object_r:container_file_t:s0");
                spec["linux"]["maskedPaths"] = json!(["/sys", "/proc/acpi"]);
            })
            .mount("/run", "tmpfs", &["nosuid"])
            .script("touch /run/file && echo yes")
            .prints("yes")
            .but_runc("it refuses them")
            .but_crun("it refuses the process's"),
        Case::new("intelRdt is passed over where the host has none")
            .spec(|spec| spec["linux"]["intelRdt"] = json!({ "closID": "guaranteed" }))
            .script("echo yes")
            .prints("yes")
            .but_ours(
                "the specification wants an error where no resctrl is mounted",
                Case::new("intelRdt is refused")
                    .spec(|spec| spec["linux"]["intelRdt"] = json!({ "closID": "guaranteed" }))
                    .refused("linux.intelRdt is not supported: no resctrl file system"),
            ),
        Case::new("nothing of the caller's session")
            .script("[ $(cut -d' ' -f6 /proc/self/stat) = 1 ] && echo own")
            .prints("own"),
    ]);
}
