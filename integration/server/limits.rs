//! Limits that the server sets, and what its callers are told of them.

use integration::{Bench, Server};
use serde_json::json;

use crate::{assert_nothing_left, shell, waits_for};

#[test]
fn the_limit_that_ended_an_execution_is_named_and_its_neighbours_finish() {
    let bench = Bench::new();
    let mut hog = shell("x=abcdefgh; while :; do x=$x$x; done");
    hog["limits"] = json!({ "max-memory": 32 });
    let functions = [
        ("hog", hog),
        ("flood", shell("yes")),
        ("neighbour", shell("echo ready; sleep 1; echo done")),
    ];
    let settings = json!({ "max-running": 3, "max-output-mb": 1 });
    let server = Server::start(&bench, &functions, &settings);
    let key = server.add_key(&["tester"]);
    let start = |function: &str| {
        let path = server.create(function, &key);
        server.post(&format!("{path}/start"), &key, b"").ok();
        path
    };
    let neighbour = start("neighbour");
    waits_for(&server, &neighbour, &key, "ready");
    let (hog, flood) = (start("hog"), start("flood"));
    for (path, limit, word) in [(&hog, "memory", "memory"), (&flood, "output", "printed")] {
        let ended = server.wait_for_end(path, &key);
        assert_eq!(ended["report"]["limit"], limit, "{ended}");
        assert_eq!(ended["report"]["status"], "limit", "{ended}");
        assert!(
            ended["message"]
                .as_str()
                .is_some_and(|message| message.contains(word)),
            "{ended}"
        );
    }
    let printed = server.get(&flood, &key).ok()["log"]
        .as_str()
        .expect("a log")
        .len();
    // Besides what it printed, the line that says why it was ended.
    assert!(printed <= (1 << 20) + 200, "{printed}");
    let ended = server.wait_for_end(&neighbour, &key);
    assert_eq!(
        (&ended["exit_code"], &ended["report"]["status"]),
        (&json!(0), &json!("ok"))
    );
    for path in [hog, flood, neighbour] {
        server.ask("DELETE", &path, &key, b"").ok();
    }
    assert_nothing_left(&bench, server.state());
}

#[test]
fn a_keys_limits_hold_where_they_are_lower() {
    let bench = Bench::new();
    let mut function = shell("x=abcdefgh; while :; do x=$x$x; done");
    function["limits"] = json!({ "max-memory": 4096 });
    let server = Server::start(&bench, &[("hog", function)], &json!({}));
    let key = server.add_key(&["small", "--max-memory", "24"]);
    let (_, ended) = crate::run(&server, "hog", &key, None);
    assert_eq!(ended["report"]["limit"], "memory", "{ended}");
    assert_eq!(ended["limits"]["max_memory"], 24, "{ended}");
}

#[test]
fn callers_are_told_nothing_of_the_host() {
    let bench = Bench::new();
    let script = "cat /etc/passwd /etc/hostname; exit 1";
    let server = Server::start(&bench, &[("f", shell(script))], &json!({}));
    let key = server.add_key(&["tester"]);
    let (path, ended) = crate::run(&server, "f", &key, None);
    assert_eq!(ended["report"]["status"], "failed", "{ended}");
    let told = ended.to_string();
    for secret in ["not_mounted", "arguments", "busybox", "hostname", "/var/"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    // What the command itself says is the caller's.
    let log = server.get(&path, &key).ok();
    assert!(
        log["log"]
            .as_str()
            .is_some_and(|log| log.contains("can't open '/etc/passwd'"))
    );
}
