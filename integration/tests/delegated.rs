//! Cgroups that are given to an ordinary user: his containers' limits hold there as root's do.

use std::path::PathBuf;
use std::time::Duration;

use integration::{Delegated, Ordinary, cgroup, wait_until};
use serde_json::{Value, json};

/// Nobody's uid on any host that tests run on; the kernel needs no account.
const USER: u32 = 54_322;

const SOON: Duration = Duration::from_secs(20);

/// Tells at which process the kernel says no, and in which cgroups they are.
const FORK: &str = "cat /proc/self/cgroup; for i in 1 2 3 4 5 6 7 8 9; do sleep 2 & done; wait";

fn limit(spec: &mut Value) {
    spec["linux"]["resources"] = json!({
        "pids": { "limit": 5 },
        "memory": { "limit": 64 << 20 },
        "cpu": { "quota": 50000, "period": 100_000 },
        "devices": [{ "allow": false, "access": "rwm" }],
    });
}

fn delegated(name: &str, arguments: &[&str]) -> (Ordinary, Delegated) {
    let mut mine = Ordinary::new(USER, arguments);
    let delegated = Delegated::to(USER, name);
    mine.cgroups = delegated.own.clone();
    mine.bundle.edit(limit);
    (mine, delegated)
}

#[test]
fn limits_hold() {
    let (mine, delegated) = delegated("hold", &["sh", "-c", FORK]);
    let outcome = mine.run().run();
    assert!(outcome.stderr.contains("can't fork"), "{outcome}");
    let is_inside = |line: &str| line.contains("test-delegated-") && line.contains("opt-runtime-");
    let inside = outcome.stdout.lines().filter(|line| is_inside(line));
    // The kernel tells of hierarchies that aren't mounted too.
    assert_eq!(inside.count(), delegated.roots.len(), "{outcome}");
    assert_eq!(
        delegated.others(),
        [""; 0].map(PathBuf::from),
        "cgroups are left"
    );
    mine.assert_nothing_left();
}

#[test]
fn want_of_memory_is_told() {
    let (mine, delegated) = delegated("memory", &["sh", "-c", "exec tail /dev/zero"]);
    let outcome = mine.run().expect(137);
    assert!(outcome.stderr.contains("want of memory"), "{outcome}");
    assert_eq!(
        delegated.others(),
        [""; 0].map(PathBuf::from),
        "cgroups are left"
    );
}

#[test]
fn the_whole_life() {
    let (mine, delegated) = delegated("life", &["sleep", "1000"]);
    mine.create(&[], "one");
    mine.runtime().args(["start", "one"]).expect(0);
    let pid = mine.state("one")["pid"].as_i64().expect("a pid");
    let pid = i32::try_from(pid).expect("a pid");
    assert_eq!(cgroup::read(pid, "pids", "pids.max").as_deref(), Some("5"));
    mine.runtime()
        .args(["update", "--pids-limit", "9", "one"])
        .expect(0);
    assert_eq!(cgroup::read(pid, "pids", "pids.max").as_deref(), Some("9"));
    mine.runtime().args(["pause", "one"]).expect(0);
    assert_eq!(mine.status("one"), "paused");
    mine.runtime().args(["resume", "one"]).expect(0);
    assert_eq!(mine.status("one"), "running");
    let listed = mine
        .runtime()
        .args(["ps", "--format", "json", "one"])
        .expect(0);
    assert_eq!(listed.stdout.trim(), format!("[{pid}]"));
    let events = mine.runtime().args(["events", "--stats", "one"]).expect(0);
    let stats: Value = serde_json::from_str(&events.stdout).expect("JSON");
    assert_eq!(stats["data"]["pids"]["current"], 1, "{events}");
    let exec = mine
        .runtime()
        .args(["exec", "one", "cat", "/proc/self/cgroup"])
        .expect(0);
    assert!(exec.stdout.contains("opt-runtime-"), "{exec}");
    mine.runtime().args(["kill", "one", "KILL"]).expect(0);
    wait_until("it stops", SOON, || mine.status("one") == "stopped");
    mine.runtime().args(["delete", "one"]).expect(0);
    assert_eq!(
        delegated.others(),
        [""; 0].map(PathBuf::from),
        "cgroups are left"
    );
    mine.assert_nothing_left();
}

/// Without a pid namespace the cgroup is what holds the processes together.
#[test]
fn processes_left_running_end_with_the_cgroup() {
    let script = "sleep 1000 >/dev/null 2>&1 & echo done";
    let (mine, delegated) = delegated("left", &["sh", "-c", script]);
    mine.bundle.edit(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("namespaces");
        namespaces.retain(|namespace| namespace["type"] != "pid");
        spec["mounts"][0] = json!({
            "destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind", "nosuid"],
        });
    });
    mine.run().expect(0).says("done");
    assert_eq!(
        delegated.others(),
        [""; 0].map(PathBuf::from),
        "cgroups are left"
    );
}

/// What `doctor` finds of cgroups.
fn doctor(user: &Ordinary) -> Value {
    let doctor = user.runtime().args(["doctor", "--json"]);
    let outcome = doctor.args(["--directory", "/"]).run();
    let told: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let findings = told["findings"].as_array().expect("findings");
    let found = findings.iter().find(|finding| finding["name"] == "cgroups");
    found.expect("cgroups").clone()
}

#[test]
fn doctor_says_so() {
    let (mine, _delegated) = delegated("doctor", &["true"]);
    let found = doctor(&mine);
    assert_eq!(found["verdict"], "ok", "{found}");
    let found = doctor(&Ordinary::new(USER, &["true"]));
    assert_eq!(found["verdict"], "limited", "{found}");
    assert!(
        found["found"].to_string().contains("not writable"),
        "{found}"
    );
}
