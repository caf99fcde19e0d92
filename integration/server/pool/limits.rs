//! Limits of an execution in a sandbox that was ready.

use std::fs;

use integration::Bench;
use nix::sys::signal::Signal;
use serde_json::json;

use super::{Pooled, pooled, script};
use crate::run;

#[test]
fn limits_hold_in_a_ready_sandbox() {
    let bench = Bench::new();
    let mut command = pooled("busybox", 1);
    command["x-opt-runtime"]["limits"] = json!({ "max-wall-time": 2, "max-processes": 20 });
    let functions = [
        (
            "hog",
            script("busybox", "x=abcdefgh; while :; do x=$x$x; done"),
        ),
        (
            "sleeper",
            script("busybox", "trap '' TERM; while :; do sleep 1; done"),
        ),
        ("flood", script("busybox", "yes")),
        (
            "forks",
            script("busybox", "f() { f | f & sleep 1; }; f; sleep 2"),
        ),
        ("kept", script("busybox", "ulimit -a; echo fine")),
    ];
    let settings = json!({ "max-output-mb": 1, "grace-seconds": 1 });
    let pool = Pooled::with(&bench, &json!([command]), &functions, &settings);
    let small = pool.server.add_key(&["small", "--max-memory", "24"]);
    for (function, limit) in [
        ("hog", "memory"),
        ("sleeper", "wall-time"),
        ("flood", "output"),
        ("forks", "processes"),
    ] {
        pool.waits_until_ready(1);
        // The key's limit isn't the one that the sandbox was made with.
        let (_, ended) = run(&pool.server, function, &small, None);
        let report = &ended["report"];
        assert_eq!(
            (&report["limit"], &report["from_pool"]),
            (&json!(limit), &json!(true)),
            "{ended}"
        );
    }
    pool.waits_until_ready(1);
    let (_, ended) = run(&pool.server, "kept", &small, None);
    assert_eq!(ended["report"]["status"], "ok", "{ended}");
    assert_eq!(ended["report"]["limits"]["max-memory"], 24, "{ended}");
}

#[test]
fn limits_of_a_user_group_hold_in_a_ready_sandbox_or_one_that_is_made() {
    let bench = Bench::new();
    let functions = [
        (
            "hog",
            script("busybox", "x=abcdefgh; while :; do x=$x$x; done"),
        ),
        (
            "full",
            script(
                "busybox",
                "dd if=/dev/zero of=/tmp/x bs=64k count=100; exit 1",
            ),
        ),
    ];
    let pool = Pooled::start(&bench, &json!([pooled("busybox", 1)]), &functions);
    let config = json!({
        "commands": [pooled("busybox", 1)],
        "x-opt-runtime": { "user-groups": {
            "small": { "users": ["ann"], "limits": { "max-memory": 24 } },
            "tidy": { "users": ["eve"], "limits": { "scratch-size": 1_048_576 } },
        } },
    });
    let file = pool.server.site().join("config.json");
    fs::write(file, config.to_string()).expect("write");
    pool.server.signal(Signal::SIGHUP);
    pool.server.logs("configuration read again");
    // Its memory can be limited afterwards; the size of its /tmp can't.
    for (user, function, limit, from_pool) in [
        ("ann", "hog", "memory", true),
        ("eve", "full", "scratch", false),
    ] {
        let key = pool.server.add_key(&[user]);
        pool.waits_until_ready(1);
        let (_, ended) = run(&pool.server, function, &key, None);
        let report = &ended["report"];
        assert_eq!(report["limit"], limit, "{ended}");
        assert_eq!(report["from_pool"], from_pool, "{ended}");
    }
}
