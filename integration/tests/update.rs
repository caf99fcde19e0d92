//! `update`: each limit by flag and by JSON, as the kernel holds it afterwards; runc and crun as controls.

use std::time::Duration;

use integration::{Bench, Bundle, Container, Runtime, cgroup, is_by_systemd, plain, wait_until};
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);
const M: i64 = 1 << 20;

fn bundle(bench: &Bench) -> Bundle {
    let bundle = plain::bundle(bench, "sleeper", &["sleep", "100000"]);
    bundle.edit(|spec| {
        spec["linux"]["resources"] = json!({
            "memory": { "limit": 64 * M, "swap": 96 * M },
            "cpu": { "quota": 40000, "period": 80000, "shares": 512 },
            "pids": { "limit": 100 },
            "devices": [{ "allow": false, "access": "rwm" }],
        });
    });
    bundle
}

/// A flag with its value, and what the kernel then says, in version 1 and in version 2: controller, file, text.
struct Case {
    flags: &'static [&'static str],
    v1: Option<(&'static str, &'static str, String)>,
    v2: Option<(&'static str, &'static str, String)>,
    /// Who of the peers does the same.
    peers: &'static [Runtime],
}

const BOTH: &[Runtime] = &[Runtime::Runc, Runtime::Crun];
const RUNC: &[Runtime] = &[Runtime::Runc];

fn cases() -> Vec<Case> {
    type Told<'a> = Option<(&'a str, &'a str)>;
    let case = |flags, controller, v1: Told<'static>, v2: Told<'static>, peers| Case {
        flags,
        v1: v1.map(|(file, text)| (controller, file, text.to_owned())),
        v2: v2.map(|(file, text)| (controller, file, text.to_owned())),
        peers,
    };
    vec![
        case(
            &["--memory", "32M"],
            "memory",
            Some(("memory.limit_in_bytes", "33554432")),
            Some(("memory.max", "33554432")),
            RUNC,
        ),
        case(
            &["--memory", "128M", "--memory-swap", "200M"],
            "memory",
            Some(("memory.memsw.limit_in_bytes", "209715200")),
            Some(("memory.swap.max", "75497472")),
            RUNC,
        ),
        case(
            &["--memory-reservation", "16M"],
            "memory",
            Some(("memory.soft_limit_in_bytes", "16777216")),
            Some(("memory.low", "16777216")),
            RUNC,
        ),
        case(
            &["--memory", "-1", "--memory-swap", "-1"],
            "memory",
            Some(("memory.limit_in_bytes", "9223372036854771712")),
            Some(("memory.max", "max")),
            RUNC,
        ),
        case(
            &["--kernel-memory-tcp", "8M"],
            "memory",
            Some(("memory.kmem.tcp.limit_in_bytes", "8388608")),
            None,
            &[],
        ),
        case(
            &["--cpu-share", "2048"],
            "cpu",
            Some(("cpu.shares", "2048")),
            Some(("cpu.weight", "174")),
            &[],
        ),
        case(
            &["--cpu-shares", "1024"],
            "cpu",
            Some(("cpu.shares", "1024")),
            Some(("cpu.weight", "100")),
            &[],
        ),
        // The other one stays.
        case(
            &["--cpu-quota", "20000"],
            "cpu",
            Some(("cpu.cfs_period_us", "80000")),
            Some(("cpu.max", "20000 80000")),
            RUNC,
        ),
        case(
            &["--cpu-period", "100000"],
            "cpu",
            Some(("cpu.cfs_quota_us", "40000")),
            Some(("cpu.max", "40000 100000")),
            RUNC,
        ),
        case(
            &["--cpu-quota", "-1"],
            "cpu",
            Some(("cpu.cfs_quota_us", "-1")),
            Some(("cpu.max", "max 80000")),
            RUNC,
        ),
        // A burst beyond the old quota.
        case(
            &["--cpu-quota", "80000", "--cpu-burst", "70000"],
            "cpu",
            Some(("cpu.cfs_burst_us", "70000")),
            Some(("cpu.max.burst", "70000")),
            &[],
        ),
        case(
            &["--cpu-idle", "1"],
            "cpu",
            Some(("cpu.idle", "1")),
            Some(("cpu.idle", "1")),
            &[],
        ),
        case(
            &["--cpuset-cpus", "0"],
            "cpuset",
            Some(("cpuset.cpus", "0")),
            Some(("cpuset.cpus", "0")),
            BOTH,
        ),
        case(
            &["--cpuset-mems", "0"],
            "cpuset",
            Some(("cpuset.mems", "0")),
            Some(("cpuset.mems", "0")),
            BOTH,
        ),
        case(
            &["--pids-limit", "7"],
            "pids",
            Some(("pids.max", "7")),
            Some(("pids.max", "7")),
            BOTH,
        ),
        case(
            &["--pids-limit", "-1"],
            "pids",
            Some(("pids.max", "max")),
            Some(("pids.max", "max")),
            RUNC,
        ),
        case(
            &["--blkio-weight", "300"],
            "blkio",
            Some(("blkio.bfq.weight", "300")),
            None,
            RUNC,
        ),
    ]
}

#[test]
fn every_flag_changes_what_the_kernel_holds() {
    for case in cases() {
        let wanted = if cgroup::is_v2() { &case.v2 } else { &case.v1 };
        let Some((controller, file, text)) = wanted else {
            continue;
        };
        let bench = Bench::new();
        let bundle = bundle(&bench);
        for runtime in [case.peers, &[Runtime::Ours]].concat() {
            let container = Container::started(&bench, runtime, &bundle);
            let pid = container.pid();
            if cgroup::read(pid, controller, file).is_none() {
                cgroup::skip(&format!("this kernel has no {file}"));
                continue;
            }
            container.command_with("update", case.flags, &[]).expect(0);
            let held = cgroup::read(pid, controller, file);
            assert_eq!(
                held.as_ref(),
                Some(text),
                "{runtime:?} {:?} {file}",
                case.flags
            );
        }
    }
}

#[test]
fn json_from_a_file_and_from_standard_input() {
    let changes = json!({
        "memory": { "limit": 48 * M, "swap": 64 * M },
        "cpu": { "quota": 30000, "period": 60000, "cpus": "0" },
        "pids": { "limit": 33 },
    });
    for runtime in [Runtime::Runc, Runtime::Crun, Runtime::Ours] {
        let bench = Bench::new();
        let bundle = bundle(&bench);
        let file = bench.file("limits.json", changes.to_string());
        for by_file in [true, false] {
            let container = Container::started(&bench, runtime, &bundle);
            let source = if by_file {
                file.to_str().expect("a path")
            } else {
                "-"
            };
            let update = container.command_with("update", &["--resources", source], &[]);
            update.input(changes.to_string()).expect(0);
            let pid = container.pid();
            let read = |controller, file| cgroup::read(pid, controller, file);
            assert_eq!(
                read("pids", "pids.max").as_deref(),
                Some("33"),
                "{runtime:?}"
            );
            assert_eq!(
                read("cpuset", "cpuset.cpus").as_deref(),
                Some("0"),
                "{runtime:?}"
            );
            let (file, limit) = if cgroup::is_v2() {
                ("memory.max", 48 * M)
            } else {
                ("memory.limit_in_bytes", 48 * M)
            };
            assert_eq!(read("memory", file), Some(limit.to_string()), "{runtime:?}");
        }
    }
}

/// On version 1 neither limit may pass the other on its way.
#[test]
fn memory_goes_up_and_down_together_with_swap() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench));
    let pid = container.pid();
    for (limit, both) in [(200, 400), (40, 50), (40, 40), (300, 300), (64, 96)] {
        let (limit, both) = (limit * M, both * M);
        let flags = [limit.to_string(), both.to_string()];
        let flags = ["--memory", &flags[0], "--memory-swap", &flags[1]];
        container.command_with("update", &flags, &[]).expect(0);
        let (file, swap_file, swap) = if cgroup::is_v2() {
            ("memory.max", "memory.swap.max", both - limit)
        } else {
            ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", both)
        };
        let read = |file| cgroup::read(pid, "memory", file);
        assert_eq!(read(file), Some(limit.to_string()));
        assert_eq!(read(swap_file), Some(swap.to_string()));
    }
}

/// containerd hands over all limits that it knows, the rules on devices among them.
#[test]
fn rules_on_devices_may_be_there_unchanged() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench));
    let update = |changes: serde_json::Value| {
        let tool = container.command_with("update", &["-r", "-"], &[]);
        tool.input(changes.to_string())
    };
    let same = json!([{ "allow": false, "access": "rwm" }]);
    update(json!({ "devices": same, "pids": { "limit": 9 } })).expect(0);
    update(json!({ "devices": [] })).expect(0);
    let other = json!([{ "allow": true, "access": "rwm" }]);
    let refused = update(json!({ "devices": other, "pids": { "limit": 8 } })).expect(1);
    assert!(
        refused.one_line().contains("linux.resources.devices"),
        "{refused}"
    );
    let held = cgroup::read(container.pid(), "pids", "pids.max");
    assert_eq!(
        held.as_deref(),
        Some("9"),
        "nothing of what is refused is done"
    );
}

#[test]
fn what_can_not_be_is_refused_by_name() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench));
    for (flags, text) in [
        (&["--memory", "lots"][..], "no size"),
        (&["--cpuset-cpus", "77777"], "linux.resources.cpu.cpus"),
        (&["--cpu-period", "5"], "linux.resources.cpu."),
        (&["-r", "/no/such/file"], "/no/such/file"),
        (&["-r", "/proc/self/status"], "not JSON"),
    ] {
        let outcome = container.command_with("update", flags, &[]).run();
        assert_ne!(outcome.code, Some(0), "{outcome}");
        assert!(
            outcome.one_line().contains(text),
            "no \"{text}\": {outcome}"
        );
    }
    container.command("kill", &["KILL"]).expect(0);
    wait_until("it stops", SOON, || {
        container.state()["status"] == "stopped"
    });
    let stopped = container
        .command_with("update", &["--pids-limit", "5"], &[])
        .expect(1);
    assert!(stopped.one_line().contains("not running"), "{stopped}");
}

#[test]
fn less_memory_than_is_in_use_is_refused_where_that_is_asked_for() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench));
    let changes = json!({ "memory": { "limit": 4096, "checkBeforeUpdate": true } });
    let tool = container.command_with("update", &["-r", "-"], &[]);
    let refused = tool.input(changes.to_string()).expect(1);
    assert!(refused.one_line().contains("memory.limit"), "{refused}");
    assert_eq!(container.state()["status"], "running");
}

/// systemd writes what it knows whenever it reloads.
#[test]
fn systemd_keeps_the_changes() {
    if !is_by_systemd() {
        cgroup::skip("systemd makes no cgroups here");
        return;
    }
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench));
    let pid = container.pid();
    let flags = [
        "--pids-limit",
        "55",
        "--memory",
        "100M",
        "--memory-swap",
        "-1",
        "--cpu-quota",
        "16000",
    ];
    container.command_with("update", &flags, &[]).expect(0);
    integration::Tool::new("systemctl")
        .arg("daemon-reload")
        .expect(0);
    assert_eq!(cgroup::read(pid, "pids", "pids.max").as_deref(), Some("55"));
    let (file, cpu_file, quota) = if cgroup::is_v2() {
        ("memory.max", "cpu.max", "16000 80000")
    } else {
        ("memory.limit_in_bytes", "cpu.cfs_quota_us", "16000")
    };
    assert_eq!(
        cgroup::read(pid, "memory", file),
        Some((100 * M).to_string())
    );
    assert_eq!(cgroup::read(pid, "cpu", cpu_file).as_deref(), Some(quota));
}
