//! `ps`, and which processes are a container's.

use std::time::Duration;

use integration::{Bench, Bundle, Container, Runtime, plain, wait_until};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

/// Two processes, the second of which has a name of its own.
fn bundle(bench: &Bench) -> Bundle {
    let script = "sleep 98765 & echo ready; wait";
    plain::bundle(bench, "two", &["sh", "-c", script])
}

fn pids(container: &Container<'_>) -> Vec<i64> {
    let outcome = container
        .command_with("ps", &["--format", "json"], &[])
        .expect(0);
    let pids: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let pids = pids.as_array().expect("an array").iter();
    pids.map(|pid| pid.as_i64().expect("a pid")).collect()
}

#[test]
fn json_is_an_array_of_pids() {
    for runtime in [Runtime::Runc, Runtime::Ours] {
        let bench = Bench::new();
        let container = Container::started(&bench, runtime, &bundle(&bench));
        wait_until("it is ready", SOON, || container.output() == "ready\n");
        let pids = pids(&container);
        assert_eq!(pids.len(), 2, "{runtime:?}: {pids:?}");
        assert!(
            pids.contains(&container.pid().into()),
            "{runtime:?}: {pids:?}"
        );
    }
}

#[test]
fn the_table_is_the_hosts_with_only_our_lines() {
    for runtime in [Runtime::Runc, Runtime::Ours] {
        let bench = Bench::new();
        let container = Container::started(&bench, runtime, &bundle(&bench));
        wait_until("it is ready", SOON, || container.output() == "ready\n");
        let table = container.command("ps", &[]).expect(0).stdout;
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{runtime:?}: {table}");
        assert!(
            lines[0].contains("PID") && lines[0].contains("CMD"),
            "{table}"
        );
        assert!(table.contains("sleep 98765"), "{table}");
        // `-f` is ours before the id, and ps's behind it.
        let table = container
            .command("ps", &["-o", "pid,comm", "-e"])
            .expect(0)
            .stdout;
        assert!(table.contains("PID COMMAND"), "{runtime:?}: {table}");
        assert_eq!(table.lines().count(), 3, "{runtime:?}: {table}");
    }
}

#[test]
fn what_the_hosts_ps_can_not_do_is_told() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench));
    for options in [&["--no-such-option"][..], &["-o", "comm"]] {
        let outcome = container.command("ps", options).expect(1);
        assert!(outcome.one_line().contains("ps: "), "{outcome}");
    }
    let outcome = container
        .command_with("ps", &["--format", "yaml"], &[])
        .run();
    assert_ne!(outcome.code, Some(0), "{outcome}");
}

#[test]
fn a_stopped_container_has_no_process() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench));
    container.command("kill", &["KILL"]).expect(0);
    wait_until("it stops", SOON, || {
        container.state()["status"] == "stopped"
    });
    wait_until("they are gone", SOON, || pids(&container).is_empty());
}

/// Without a cgroup of its own, the processes in its pid namespace are the container's.
#[test]
fn without_a_cgroup_the_pid_namespace_tells() {
    let bench = Bench::new();
    let disabled = ["--cgroup-manager", "disabled"];
    let container = Container::created_with(&bench, Runtime::Ours, &bundle(&bench), &disabled);
    container.start();
    wait_until("both run", SOON, || pids(&container).len() == 2);
    container.command("kill", &["KILL", "--all"]).expect(0);
    wait_until("they are gone", SOON, || pids(&container).is_empty());
    container.command("delete", &[]).expect(0);
    bench.assert_gone(&container.id);
}
