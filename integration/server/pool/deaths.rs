//! Ready sandboxes, executions in them and servers that die.

use std::fs;
use std::time::Duration;

use integration::{Bench, host, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;

use super::{Pooled, pooled, script};
use crate::{SOON, assert_nothing_left, run, waits_for};

#[test]
fn one_that_is_gone_is_done_without() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo done"))];
    let pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    for kills_guardian in [true, false] {
        pool.waits_until_ready(1);
        let (guardian, worker) = pool.stand_by();
        host::kill(if kills_guardian { guardian } else { worker });
        let (log, ended) = pool.run("f");
        assert_eq!(
            (log.as_str(), &ended["state"]),
            ("done\n", &json!("ended")),
            "{ended}"
        );
    }
    pool.run_from_pool("f");
    pool.server.signal(Signal::SIGTERM);
}

#[test]
fn one_that_is_stopped_is_done_without_and_never_takes_what_it_was_asked() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo ran >> result.json; echo done"))];
    let pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    pool.waits_until_ready(1);
    let (_, worker) = pool.stand_by();
    host::stop(worker);
    // In another one, which may have been made meanwhile.
    let (path, ended) = run(&pool.server, "f", &pool.key, None);
    assert_eq!(ended["state"], "ended", "{ended}");
    host::go_on(worker);
    let process = format!("/proc/{worker}");
    wait_until("it is gone", SOON, || fs::metadata(&process).is_err());
    let result = pool.server.get(&format!("{path}/output/result"), &pool.key);
    assert_eq!(result.text(), "ran\n");
    pool.server.signal(Signal::SIGTERM);
}

#[test]
fn nothing_that_was_ready_outlives_the_server() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo done"))];
    let mut pool = Pooled::start(&bench, &json!([pooled("busybox", 3)]), &functions);
    pool.waits_until_ready(3);
    let made = pool.server.ready();
    assert_eq!(
        made.len(),
        12,
        "a guardian, a worker, a first process and who holds the project's user namespace each"
    );
    pool.server.kill();
    wait_until("they are gone", SOON, || pool.server.ready().is_empty());
    assert_nothing_left(&bench, pool.server.state());
    pool.server.start_again();
    pool.waits_until_ready(3);
    pool.server.signal(Signal::SIGTERM);
    assert_eq!(pool.server.wait(), Some(0));
    wait_until("they are gone", SOON, || pool.server.ready().is_empty());
    assert_nothing_left(&bench, pool.server.state());
}

#[test]
fn what_runs_in_one_goes_on_while_the_server_is_dead_and_is_found_again() {
    let bench = Bench::new();
    let going_on = "echo begun; sleep 1.5; echo done; echo 1 > result.json; exit 3";
    let functions = [
        ("f", script("busybox", going_on)),
        ("sleeper", script("busybox", "echo begun; sleep 600")),
    ];
    let mut pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    let mut begin = |function: &str| {
        pool.waits_until_ready(1);
        let path = pool.begin(function);
        waits_for(&pool.server, &path, &pool.key, "begun");
        path
    };
    let [first, second] = ["f", "sleeper"].map(&mut begin);
    pool.server.kill();
    pool.server.start_again();
    let ended = pool.server.wait_for_end(&first, &pool.key);
    assert_eq!(ended["exit_code"], 3, "{ended}");
    assert_eq!(ended["report"]["from_pool"], true, "{ended}");
    let running = pool.server.get(&second, &pool.key).ok();
    assert_eq!(running["state"], "running", "{running}");
    pool.server
        .post(&format!("{second}/stop"), &pool.key, b"")
        .ok();
    let stopped = pool.server.wait_for_end(&second, &pool.key);
    assert_eq!(stopped["state"], "stopped", "{stopped}");
    assert_eq!(stopped["report"]["status"], "stopped", "{stopped}");
}

#[test]
fn a_server_killed_at_any_moment_runs_everything_once() {
    let bench = Bench::new();
    let functions = [(
        "f",
        script(
            "busybox",
            "cat data.txt; echo ran >> result.json; sleep 0.1",
        ),
    )];
    let mut pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    let mut paths = vec![];
    for round in 0..10 {
        pool.waits_until_ready(1);
        let path = pool.server.create("f", &pool.key);
        let upload = format!("{path}/input/data");
        pool.server.post(&upload, &pool.key, path.as_bytes()).ok();
        pool.server
            .post(&format!("{path}/start"), &pool.key, b"")
            .ok();
        paths.push(path);
        std::thread::sleep(Duration::from_millis(round * 3 % 20));
        pool.server.kill();
        pool.server.start_again();
    }
    for path in &paths {
        let ended = pool.server.wait_for_end(path, &pool.key);
        assert_eq!(ended["state"], "ended", "{ended}");
        let log = pool.server.get(path, &pool.key).ok()["log"].clone();
        assert_eq!(log, **path, "{ended}");
        let result = pool.server.get(&format!("{path}/output/result"), &pool.key);
        assert_eq!(result.text(), "ran\n", "{ended}");
        pool.server.ask("DELETE", path, &pool.key, b"").ok();
    }
    pool.server.signal(Signal::SIGTERM);
    pool.server.wait();
    assert_nothing_left(&bench, pool.server.state());
}

#[test]
fn a_supervisor_that_is_killed_is_reported() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo begun; sleep 600"))];
    let pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    pool.waits_until_ready(1);
    let (_, worker) = pool.stand_by();
    let path = pool.begin("f");
    waits_for(&pool.server, &path, &pool.key, "begun");
    host::kill(worker);
    let ended = pool.server.wait_for_end(&path, &pool.key);
    assert_eq!(ended["report"]["status"], "stopped", "{ended}");
    assert_eq!(ended["report"]["signal"], "SIGKILL", "{ended}");
}
