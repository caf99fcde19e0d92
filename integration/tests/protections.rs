//! Each row of the promise, seen from inside a sealed sandbox; and that the same look does see a weakness
//! where the row and the promise are taken away, so that none of these tests passes by being blind.

use integration::{Bench, Bundle, Probe};
use serde_json::{Value, json};

/// Runs a word of the probe in a sealed bundle.
fn sealed(bench: &Bench, words: &[&str]) -> Value {
    let bundle = bench.sealed("bundle", &Probe::on(bench).command(), words);
    Probe::report(&bundle.run(bench).run())
}

/// Likewise in a bundle that promises nothing, changed by `change`.
fn weakened(bench: &Bench, words: &[&str], change: impl FnOnce(&mut Value)) -> Value {
    let bundle = bench.sealed("weak", &Probe::on(bench).command(), words);
    bundle.without_promise().edit(change);
    Probe::report(&bundle.run(bench).run())
}

fn drop_filter(spec: &mut Value) {
    spec["linux"]["seccomp"] = Value::Null;
}

/// The points of mounts that lack `option`, from the lines of mountinfo.
fn mounts_without(report: &Value, option: &str) -> Vec<String> {
    let lines = report["mounts"].as_array().expect("mounts");
    assert!(lines.len() > 5, "{lines:?}");
    lines
        .iter()
        .map(|line| {
            line.as_str()
                .expect("a line")
                .split(' ')
                .collect::<Vec<_>>()
        })
        .filter(|fields| !fields[5].split(',').any(|have| have == option))
        .map(|fields| fields[4].to_owned())
        .collect()
}

const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
const NONE: &str = "0000000000000000";

#[test]
fn no_privilege_all_five_sets_are_empty() {
    let bench = Bench::new();
    let status = &sealed(&bench, &["look"])["status"];
    for set in SETS {
        assert_eq!(status[set], NONE, "{set}");
    }
    let status = &weakened(&bench, &["look"], |spec| {
        spec["process"]["capabilities"]["bounding"] = json!(["CAP_CHOWN"]);
    })["status"];
    assert_eq!(status["CapBnd"], "0000000000000001");
}

#[test]
fn none_to_gain_no_new_privs_is_set() {
    let bench = Bench::new();
    assert_eq!(sealed(&bench, &["look"])["status"]["NoNewPrivs"], "1");
    let report = weakened(&bench, &["look"], |spec| {
        drop_filter(spec);
        spec["process"]["noNewPrivileges"] = json!(false);
    });
    assert_eq!(report["status"]["NoNewPrivs"], "0");
}

#[test]
fn setuid_is_dead_every_mount_is_nosuid() {
    let bench = Bench::new();
    let report = sealed(&bench, &["look"]);
    assert_eq!(mounts_without(&report, "nosuid"), [""; 0]);
    let report = weakened(&bench, &["look"], |spec| {
        let options = json!(["mode=1777"]);
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        let tmp = mounts
            .iter_mut()
            .find(|mount| mount["destination"] == "/tmp");
        tmp.expect("/tmp")["options"] = options;
    });
    assert!(mounts_without(&report, "nosuid").contains(&"/tmp".to_owned()));
}

#[test]
fn no_devices_every_mount_but_dev_and_its_files_is_nodev() {
    let bench = Bench::new();
    let report = sealed(&bench, &["look"]);
    let exceptions = mounts_without(&report, "nodev");
    let own = |path: &String| path.starts_with("/dev") || path.starts_with("/proc/");
    assert!(exceptions.iter().all(own), "{exceptions:?}");
    assert!(
        !exceptions.contains(&"/dev/shm".to_owned()),
        "{exceptions:?}"
    );
    let devices = &report["devices"];
    for name in devices.as_array().expect("names") {
        const KNOWN: [&str; 14] = [
            "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr",
            "stdin", "stdout", "tty", "urandom",
        ];
        assert!(
            name == "zero" || KNOWN.iter().any(|known| name == known),
            "{devices}"
        );
    }
}

#[test]
fn few_system_calls_a_filter_is_loaded() {
    let bench = Bench::new();
    assert_eq!(sealed(&bench, &["look"])["status"]["Seccomp"], "2");
    let report = weakened(&bench, &["look"], drop_filter);
    assert_eq!(report["status"]["Seccomp"], "0");
}

#[test]
fn nobody_the_ids_are_no_ones_and_there_are_no_groups() {
    let bench = Bench::new();
    let probe = Probe::on(&bench);
    let bundle = bench.sealed("bundle", &probe.command(), &["look"]);
    // The caller's groups must not come through.
    let mut run = bundle.run(&bench);
    let groups = [27_u32, 44].map(nix::unistd::Gid::from_raw);
    with_groups(run.command(), groups);
    let report = Probe::report(&run.run());
    assert_eq!(report["status"]["Uid"], "1\t1\t1\t1");
    assert_eq!(report["status"]["Gid"], "1\t1\t1\t1");
    assert_eq!(report["status"]["Groups"], "");
    let map = report["ids"]["uid_map"][0].as_str().expect("a map");
    let numbers: Vec<u64> = map
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    assert_eq!((numbers[0], numbers[2]), (0, 64), "{map}");
    assert!((0x7000_0000..0x8000_0000).contains(&numbers[1]), "{map}");
    let report = weakened(&bench, &["look"], |spec| {
        spec["process"]["user"]["additionalGids"] = json!([7]);
    });
    assert_eq!(report["status"]["Groups"], "7");
}

fn with_groups(command: &mut std::process::Command, groups: [nix::unistd::Gid; 2]) {
    use std::os::unix::process::CommandExt;
    // SAFETY: between fork and exec only one system call is made, which allocates nothing.
    unsafe { command.pre_exec(move || Ok(nix::unistd::setgroups(&groups)?)) };
}

#[test]
fn own_world_every_namespace_is_another() {
    let bench = Bench::new();
    let report = sealed(&bench, &["look"]);
    for kind in ["mnt", "pid", "ipc", "uts", "net", "cgroup", "user"] {
        let ours = std::fs::read_link(format!("/proc/self/ns/{kind}")).expect("a namespace");
        let theirs = report["namespaces"][kind].as_str().expect("a namespace");
        assert_ne!(theirs, ours.to_string_lossy(), "{kind}");
    }
    // The first one is the runtime's; the command is its child.
    assert_eq!(report["processes"], json!(["1", "2"]));
    assert_eq!(report["hostname"], "sandbox");
    let interfaces = report["interfaces"].as_array().expect("interfaces");
    assert!(interfaces.len() <= 1, "{interfaces:?}");
    let cgroup = report["cgroup"].as_array().expect("cgroups");
    for line in cgroup {
        let line = line.as_str().expect("a line");
        assert!(line.ends_with(":/"), "the host's cgroup path shows: {line}");
    }
    let report = weakened(&bench, &["look"], |spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("a list");
        namespaces.retain(|namespace| namespace["type"] != "network");
    });
    let ours = std::fs::read_link("/proc/self/ns/net").expect("a namespace");
    assert_eq!(report["namespaces"]["net"], *ours.to_string_lossy());
}

#[test]
fn no_way_back_nothing_is_shared_and_the_root_holds_what_was_named() {
    let bench = Bench::new();
    let report = sealed(&bench, &["look"]);
    for line in report["mounts"].as_array().expect("mounts") {
        let line = line.as_str().expect("a line");
        assert!(!line.contains(" shared:"), "{line}");
        assert!(!line.contains(" - cgroup"), "{line}");
    }
    let root = report["root"].as_array().expect("names");
    let known = [
        "dev", "lib", "lib64", "proc", "project", "tmp", "usr", "var",
    ];
    assert!(
        root.iter()
            .all(|name| known.iter().any(|known| name == known)),
        "{root:?}"
    );
    assert_eq!(report["cwd"], "/project");
    assert_eq!(report["temporary"], json!([]));
}

#[test]
fn nothing_inherited_three_descriptors_and_a_fresh_environment() {
    let bench = Bench::new();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["look"]);
    let mut run = bundle.run(&bench).env("SECRET_OF_THE_CALLER", "1");
    leak_descriptors(run.command());
    let report = Probe::report(&run.run());
    let numbers: Vec<&String> = report["descriptors"]
        .as_object()
        .expect("them")
        .keys()
        .collect();
    assert_eq!(numbers, ["0", "1", "2"], "{}", report["descriptors"]);
    assert_eq!(
        report["environment"],
        json!([
            "PATH=/usr/local/bin:/usr/bin:/bin",
            "HOME=/tmp",
            "TMPDIR=/tmp",
            "LANG=C.UTF-8"
        ])
    );
    assert_eq!(report["oom_score_adj"], own_oom_score());
    // The look itself does see a leak: outside of any sandbox it shows.
    let mut outside = integration::Tool::new(integration::probe_path()).arg("look");
    leak_descriptors(outside.command());
    let report = Probe::report(&outside.run());
    // Any of them will do: a parallel test may have had one of the numbers open, close-on-exec.
    let leaked = report["descriptors"].as_object().expect("them").len();
    assert!(leaked > 3, "{}", report["descriptors"]);
}

fn own_oom_score() -> String {
    let text = std::fs::read_to_string("/proc/self/oom_score_adj").expect("a score");
    text.trim().to_owned()
}

/// Descriptors 3 to 30 on the host's root, not closed by exec.
fn leak_descriptors(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: between fork and exec only system calls are made, which allocate nothing.
    unsafe {
        command.pre_exec(|| {
            // Above what std itself may have open for the exec's outcome.
            for number in 3..=30 {
                if nix::fcntl::fcntl(number, nix::fcntl::FcntlArg::F_GETFD).is_err() {
                    leak(number)?;
                }
            }
            Ok(())
        });
    }
}

fn leak(number: i32) -> std::io::Result<()> {
    let flags = nix::fcntl::OFlag::O_RDONLY;
    let root = nix::fcntl::open("/", flags, nix::sys::stat::Mode::empty())?;
    if root != number {
        nix::unistd::dup2(root, number)?;
        nix::unistd::close(root)?;
    }
    Ok(())
}

#[test]
fn bounded_forks_end_at_the_limit() {
    let bench = Bench::new();
    let forks = sealed(&bench, &["forks", "2000"]);
    assert_eq!(forks["refusal"], "EAGAIN");
    let children = forks["children"].as_u64().expect("a number");
    assert!((100..512).contains(&children), "{forks}");
    let forks = weakened(&bench, &["forks", "600"], |spec| {
        spec["linux"]["resources"]["pids"] = Value::Null;
    });
    assert_eq!(forks["children"], 600, "{forks}");
}

#[test]
fn bounded_memory_ends_at_a_limit_that_is_set() {
    let bench = Bench::new();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["fill", "200"]);
    bundle.run(&bench).expect(0).says("filled 200 MB");
    bundle.edit(|spec| {
        let memory = json!({ "limit": 100 << 20, "swap": 100 << 20 });
        spec["linux"]["resources"]["memory"] = memory;
    });
    bundle.run(&bench).expect(128 + libc::SIGKILL);
}

#[test]
fn the_bundle_is_what_the_command_and_its_check_say() {
    let bench = Bench::new();
    let bundle: Bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["look"]);
    let report = bundle.check(&bench).expect(0);
    let report: Value = serde_json::from_str(&report.stdout).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    assert!(
        rows.iter().all(|row| row["broken"] == json!([])),
        "{report}"
    );
    let mut known: Vec<_> = integration::weaken::all()
        .iter()
        .map(|way| way.row)
        .collect();
    known.sort_unstable();
    known.dedup();
    let mut rows: Vec<_> = rows
        .iter()
        .filter_map(|row| row["protection"].as_str())
        .collect();
    rows.sort_unstable();
    assert_eq!(
        rows, known,
        "every row of the promise has weakenings in these tests"
    );
}
