//! How many are ready, and for what.

use std::fs;

use integration::{Bench, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;

use super::{Pooled, pooled, script};
use crate::{SOON, run};

#[test]
fn no_pool_is_no_pool() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo done"))];
    let pool = Pooled::start(&bench, &json!([pooled("busybox", 0)]), &functions);
    let (_, ended) = pool.run("f");
    assert_eq!(ended["report"]["from_pool"], false, "{ended}");
    for metric in ["pool_ready", "pool_used_total", "pool_missed_total"] {
        assert_eq!(pool.metric(metric), 0, "{metric}");
    }
    assert!(pool.server.ready().is_empty());
}

#[test]
fn a_burst_beyond_the_pool_is_served_all_the_same() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "cat data.txt; sleep 0.3"))];
    let settings = json!({ "max-running": 6, "max-ready": 1 });
    let pool = Pooled::with(
        &bench,
        &json!([pooled("busybox", 4)]),
        &functions,
        &settings,
    );
    pool.waits_until_ready(1);
    let paths: Vec<String> = (0..12)
        .map(|number| {
            let path = pool.server.create("f", &pool.key);
            let input = format!("number {number}\n");
            let upload = format!("{path}/input/data");
            pool.server.post(&upload, &pool.key, input.as_bytes()).ok();
            path
        })
        .collect();
    for path in &paths {
        pool.server
            .post(&format!("{path}/start"), &pool.key, b"")
            .ok();
    }
    for (number, path) in paths.iter().enumerate() {
        let ended = pool.server.wait_for_end(path, &pool.key);
        assert_eq!(ended["exit_code"], 0, "{ended}");
        let log = pool.server.get(path, &pool.key).ok()["log"].clone();
        assert_eq!(log, format!("number {number}\n"));
        assert!(pool.metric("pool_ready") <= 1, "more than max-ready");
    }
    let used = pool.metric("pool_used_total");
    assert!(used >= 1);
    assert_eq!(used + pool.metric("pool_missed_total"), 12);
    // It fills up again.
    pool.waits_until_ready(1);
    let (_, ended) = run(&pool.server, "f", &pool.key, Some(b"x"));
    assert_eq!(ended["report"]["from_pool"], true, "{ended}");
}

#[test]
fn ids_that_executions_need_are_not_kept_by_the_pool() {
    let bench = Bench::new();
    let functions = [("f", script("busybox", "echo done"))];
    let server = Pooled::start(&bench, &json!([pooled("busybox", 4)]), &functions);
    server.waits_until_ready(4);
    let config = server.server.site().join("config.json");
    // Enough for two executions at once, which is what may run.
    let few = json!({
        "commands": [pooled("busybox", 4)],
        "x-opt-runtime": { "identity": { "first-id": 3_000_000_000_u32, "ids": 128 } },
    });
    fs::write(&config, few.to_string()).expect("write");
    server.server.signal(Signal::SIGHUP);
    server.server.logs("configuration read again");
    server.waits_until_ready(0);
    let (log, ended) = server.run("f");
    assert_eq!(log, "done\n", "{ended}");
    assert_eq!(ended["report"]["from_pool"], false, "{ended}");
}

#[test]
fn a_new_configuration_has_new_ones() {
    let bench = Bench::new();
    let saying = |word: &str| {
        let mut command = pooled("busybox", 2);
        command["environment-variables"] = json!({ "WORD": word });
        json!([command])
    };
    let functions = [("f", script("busybox", "echo $WORD"))];
    let pool = Pooled::start(&bench, &saying("old"), &functions);
    pool.waits_until_ready(2);
    let before = pool.server.ready();
    let config = pool.server.site().join("config.json");
    let new = json!({ "commands": saying("new") });
    fs::write(config, new.to_string()).expect("write");
    pool.server.signal(Signal::SIGHUP);
    pool.server.logs("configuration read again");
    // At once, whatever is ready by then.
    assert_eq!(pool.run("f").0, "new\n");
    wait_until("the old ones are gone", SOON, || {
        pool.server.ready().iter().all(|pid| !before.contains(pid))
    });
    pool.waits_until_ready(2);
    let (log, ended) = pool.run("f");
    assert_eq!(
        (log.as_str(), &ended["report"]["from_pool"]),
        ("new\n", &json!(true))
    );
}

#[test]
fn one_that_shows_files_which_were_replaced_is_not_used() {
    let bench = Bench::new();
    let data = bench.file("data", "old");
    let mut command = pooled("busybox", 1);
    command["mount-readable"] = json!([data]);
    let show = format!("cat {}", data.display());
    let functions = [("f", script("busybox", &show))];
    let pool = Pooled::start(&bench, &json!([command]), &functions);
    assert_eq!(pool.run_from_pool("f").0, "old");
    pool.waits_until_ready(1);
    let new = bench.file("new", "new");
    fs::rename(new, &data).expect("rename");
    let (log, ended) = pool.run("f");
    assert_eq!(
        (log.as_str(), &ended["report"]["from_pool"]),
        ("new", &json!(false))
    );
    assert_eq!(pool.run_from_pool("f").0, "new");
}
