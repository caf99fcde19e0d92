//! `pause` and `resume`: every process stops where it is, and nothing but `resume` or the end lets it go on.

use std::thread::sleep;
use std::time::Duration;

use integration::{Bench, Bundle, Container, Runtime, cgroup, plain, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// A bundle whose two processes print a line each as long as they run.
fn chatter(bench: &Bench) -> Bundle {
    let line = "while :; do echo x; sleep 0.05; done";
    plain::bundle(
        bench,
        "chatter",
        &["sh", "-c", &format!("({line}) & {line}")],
    )
}

fn status(container: &Container<'_>) -> String {
    container.state()["status"]
        .as_str()
        .expect("a status")
        .to_owned()
}

fn says_more(container: &Container<'_>) -> bool {
    let before = container.output().len();
    sleep(Duration::from_millis(400));
    container.output().len() > before
}

#[test]
fn a_paused_container_does_nothing_until_it_is_resumed() {
    for runtime in [Runtime::Runc, Runtime::Ours] {
        let bench = Bench::new();
        let container = Container::started(&bench, runtime, &chatter(&bench));
        wait_until("it talks", SOON, || !container.output().is_empty());
        container.command("pause", &[]).expect(0);
        assert_eq!(status(&container), "paused", "{runtime:?}");
        assert!(!says_more(&container), "{runtime:?}");
        container.command("resume", &[]).expect(0);
        assert_eq!(status(&container), "running", "{runtime:?}");
        wait_until("it talks again", SOON, || says_more(&container));
    }
}

/// libcontainer's `kill` makes it "running", so that nobody can resume it (C10).
#[test]
fn a_signal_leaves_it_paused_and_comes_when_it_is_resumed() {
    for runtime in [Runtime::Runc, Runtime::Ours] {
        let bench = Bench::new();
        let script = "trap 'echo caught; exit' TERM; echo ready; while :; do sleep 0.1; done";
        let bundle = plain::bundle(&bench, "trap", &["sh", "-c", script]);
        let container = Container::started(&bench, runtime, &bundle);
        wait_until("it is ready", SOON, || container.output() == "ready\n");
        container.command("pause", &[]).expect(0);
        container.command("kill", &["TERM"]).expect(0);
        assert_eq!(status(&container), "paused", "{runtime:?}");
        sleep(Duration::from_millis(300));
        assert_eq!(container.output(), "ready\n", "{runtime:?}");
        container.command("resume", &[]).expect(0);
        wait_until("it stops", SOON, || status(&container) == "stopped");
        assert_eq!(container.output(), "ready\ncaught\n", "{runtime:?}");
    }
}

#[test]
fn a_paused_container_can_be_killed_and_deleted() {
    let bench = Bench::new();
    let bundle = chatter(&bench);
    for all in [&["KILL"][..], &["KILL", "--all"]] {
        let container = Container::started(&bench, Runtime::Ours, &bundle);
        container.command("pause", &[]).expect(0);
        container.command("kill", all).expect(0);
        wait_until("it stops", SOON, || status(&container) == "stopped");
        container.command("delete", &[]).expect(0);
        bench.assert_gone(&container.id);
    }
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    container.command("pause", &[]).expect(0);
    let refused = container.command("delete", &[]).expect(1);
    assert!(refused.one_line().contains("is paused"), "{refused}");
    container.command("delete", &["--force"]).expect(0);
    bench.assert_gone(&container.id);
}

/// The kernel lets the killed go, and nothing else of the container runs on the way.
#[test]
fn the_killed_do_nothing_more() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &chatter(&bench));
    wait_until("it talks", SOON, || !container.output().is_empty());
    container.command("pause", &[]).expect(0);
    let before = container.output();
    container.command("kill", &["KILL", "--all"]).expect(0);
    wait_until("it stops", SOON, || status(&container) == "stopped");
    assert_eq!(container.output(), before);
}

#[test]
fn only_what_runs_is_paused_and_only_what_is_paused_resumed() {
    let bench = Bench::new();
    let container = Container::created(&bench, Runtime::Ours, &chatter(&bench));
    let refused = |name: &str, text: &str| {
        let outcome = container.command(name, &[]).expect(1);
        assert!(outcome.one_line().contains(text), "{outcome}");
    };
    refused("pause", "container not running");
    refused("resume", "container not paused");
    container.start();
    refused("resume", "container not paused");
    container.command("pause", &[]).expect(0);
    refused("pause", "is paused");
    refused("start", "container not created");
    container.command("kill", &["KILL"]).expect(0);
    wait_until("it stops", SOON, || status(&container) == "stopped");
    refused("pause", "is stopped");
    refused("resume", "is stopped");
    container.command("delete", &[]).expect(0);
    refused("pause", "does not exist");
}

/// Another program may freeze the cgroup: what counts is whether the container is frozen.
#[test]
fn the_status_is_what_the_freezer_says() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &chatter(&bench));
    let pid = container.pid();
    let (file, frozen, thawed) = if cgroup::is_v2() {
        ("cgroup.freeze", "1", "0")
    } else {
        ("freezer.state", "FROZEN", "THAWED")
    };
    let path = cgroup::directory(pid, "freezer").join(file);
    std::fs::write(&path, frozen).expect("freeze");
    assert_eq!(status(&container), "paused");
    std::fs::write(&path, thawed).expect("thaw");
    assert_eq!(status(&container), "running");
}

/// Processes that are being made at the moment of freezing must not escape it.
#[test]
fn a_container_that_makes_processes_all_the_time_is_paused_too() {
    let bench = Bench::new();
    let script = "while :; do true; echo x; done";
    let many = format!("({script}) & ({script}) & ({script}) & {script}");
    let bundle = plain::bundle(&bench, "busy", &["sh", "-c", &many]);
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    wait_until("it runs", SOON, || !container.output().is_empty());
    for _ in 0..5 {
        container.command("pause", &[]).expect(0);
        assert!(!says_more(&container));
        container.command("resume", &[]).expect(0);
    }
}
