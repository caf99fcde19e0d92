//! `events`: what a container uses, in runc's form and with runc as the control, and that it wanted more
//! memory than it may have.

use std::time::Duration;

use integration::{Bench, Bundle, Container, Runtime, cgroup, plain, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
const M: i64 = 1 << 20;

fn bundle(bench: &Bench, script: &str) -> Bundle {
    let bundle = plain::bundle(bench, "counted", &["sh", "-c", script]);
    bundle.edit(|spec| {
        spec["linux"]["resources"] = json!({
            "memory": { "limit": 64 * M, "swap": 64 * M },
            "pids": { "limit": 50 },
        });
    });
    bundle
}

fn stats(container: &Container<'_>) -> Value {
    let outcome = container
        .command_with("events", &["--stats"], &[])
        .expect(0);
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
    let event: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(event["type"], "stats");
    assert_eq!(event["id"], *container.id);
    event["data"].clone()
}

/// Every name in it, with the path to it, but for those that differ from one moment to the next.
fn names(value: &Value, path: &str, into: &mut Vec<String>) {
    let Value::Object(map) = value else {
        return;
    };
    for (name, below) in map {
        let path = format!("{path}/{name}");
        // Left out when they are zero, and the kernel's own names.
        let varies = path.contains("/blkio/")
            || path.contains("/raw/")
            || path.contains("/throttling/")
            || path.contains("/hugetlb/")
            || ["usage", "max", "cache", "psi"].contains(&name.as_str()) && !below.is_object();
        if !varies {
            into.push(path.clone());
        }
        names(below, &path, into);
    }
}

#[test]
fn the_form_is_runcs() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "while :; do sleep 0.1; done");
    let [theirs, ours] = [Runtime::Runc, Runtime::Ours].map(|runtime| {
        let container = Container::started(&bench, runtime, &bundle);
        let mut all = vec![];
        names(&stats(&container), "", &mut all);
        all
    });
    let missing: Vec<&String> = theirs.iter().filter(|name| !ours.contains(name)).collect();
    let more: Vec<&String> = ours.iter().filter(|name| !theirs.contains(name)).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "without {missing:?}, with {more:?}"
    );
}

#[test]
fn the_numbers_are_the_kernels() {
    for runtime in [Runtime::Runc, Runtime::Ours] {
        let bench = Bench::new();
        let script = "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; echo done; sleep 1000";
        let container = Container::started(&bench, runtime, &bundle(&bench, script));
        wait_until("it has worked", SOON, || container.output() == "done\n");
        let stats = stats(&container);
        let number = |pointer: &str| stats.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        assert_eq!(number("/pids/limit"), 50, "{runtime:?}: {stats}");
        assert_eq!(number("/pids/current"), 1, "{runtime:?}: {stats}");
        assert_eq!(
            number("/memory/usage/limit"),
            (64 * M).cast_unsigned(),
            "{runtime:?}: {stats}"
        );
        assert_eq!(
            number("/memory/swap/limit"),
            (64 * M).cast_unsigned(),
            "{runtime:?}: {stats}"
        );
        let used = number("/memory/usage/usage");
        assert!(
            used > 10_000 && used < (64 * M).cast_unsigned(),
            "{runtime:?}: {stats}"
        );
        // 20000 turns of a shell's loop take some milliseconds anywhere.
        let total = number("/cpu/usage/total");
        assert!(total > 1_000_000, "{runtime:?}: {stats}");
        assert!(
            number("/cpu/usage/user") + number("/cpu/usage/kernel") <= 2 * total,
            "{stats}"
        );
        let raw = stats["memory"]["raw"].as_object().expect("raw numbers");
        assert!(raw.len() > 10, "{runtime:?}: {stats}");
        let cpus = stats["cpuset"]["cpus"].as_array().map_or(0, Vec::len);
        assert!(cgroup::is_v2() || cpus > 0, "{runtime:?}: {stats}");
    }
}

#[test]
fn lines_come_until_the_container_ends() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "sleep 1000"));
    let mut events = container
        .command_with("events", &["--interval", "50ms"], &[])
        .start();
    events.wait_for("\"type\":\"stats\"");
    std::thread::sleep(Duration::from_millis(500));
    container.command("kill", &["KILL"]).expect(0);
    let outcome = events.finish();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(outcome.stdout.lines().count() >= 3, "{outcome}");
    for line in outcome.stdout.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(event["type"], "stats", "{line}");
    }
}

#[test]
fn want_of_memory_is_told() {
    for runtime in [Runtime::Runc, Runtime::Ours] {
        let bench = Bench::new();
        // The child is killed, and the first goes on.
        let eat = "tail /dev/zero";
        let script =
            format!("while [ ! -e /go ]; do sleep 0.1; done; {eat}; echo killed; sleep 1000");
        let bundle = bundle(&bench, &script);
        let link = bundle.rootfs().join("bin/tail");
        std::os::unix::fs::symlink("busybox", link).expect("link an applet");
        let container = Container::started(&bench, runtime, &bundle);
        let mut events = container
            .command_with("events", &["--interval", "200ms"], &[])
            .start();
        // Only from here on it listens.
        events.wait_for("\"type\":\"stats\"");
        std::fs::write(bundle.rootfs().join("go"), "").expect("let it go on");
        let line = format!("{{\"type\":\"oom\",\"id\":\"{}\"}}", container.id);
        events.wait_for(&line);
        wait_until("the first goes on", SOON, || {
            container.output().contains("killed")
        });
        // runc goes on until the cgroup is gone.
        let delete = container.command_with("delete", &["--force"], &[]);
        delete.expect(0);
        let outcome = events.finish();
        assert_eq!(outcome.code, Some(0), "{outcome}");
    }
}

#[test]
fn a_reader_that_has_gone_ends_it() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "sleep 1000"));
    let mut command = container.command_with("events", &["--interval", "50ms"], &[]);
    let mut child = command
        .command()
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("start events");
    drop(child.stdout.take());
    wait_until("it ends", SOON, || {
        child.try_wait().expect("wait").is_some()
    });
}

#[test]
fn only_what_runs_is_counted() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "sleep 1000"));
    for interval in ["0s", "soon", "-1s"] {
        let interval = format!("--interval={interval}");
        let outcome = container.command_with("events", &[&interval], &[]).run();
        assert_ne!(outcome.code, Some(0), "{outcome}");
        assert!(
            outcome.one_line().contains("no time above zero"),
            "{outcome}"
        );
    }
    container.command("kill", &["KILL"]).expect(0);
    wait_until("it stops", SOON, || {
        container.state()["status"] == "stopped"
    });
    for options in [&["--stats"][..], &[]] {
        let outcome = container.command_with("events", options, &[]).expect(1);
        assert!(outcome.one_line().contains("not running"), "{outcome}");
    }
}
