//! User groups of `config.json`, and how many executions run at the same time.

use integration::{Bench, Server, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{SOON, run, shell, sleeper, waits_for};

fn busybox() -> Value {
    json!([{ "name": "busybox", "executable": "/usr/bin/busybox" }])
}

fn start(server: &Server, function: &str, key: &str) -> String {
    let path = server.create(function, key);
    server.post(&format!("{path}/start"), key, b"").ok();
    path
}

/// Fails unless the execution waits, and for this.
#[track_caller]
fn assert_waits_for(server: &Server, path: &str, key: &str, limit: &str) {
    let told = server.get(path, key).ok();
    assert_eq!(
        (&told["state"], &told["waits_for"]),
        (&json!("queued"), &json!(limit)),
        "{told}"
    );
}

#[test]
fn a_groups_limits_bound_each_execution_of_its_members_and_of_nobody_else() {
    let bench = Bench::new();
    let mut hog = shell("x=abcdefgh; while :; do x=$x$x; done");
    hog["limits"] = json!({ "max-memory": 48 });
    let functions = [("hog", hog), ("sleeper", sleeper())];
    let server = Server::start(&bench, &functions, &json!({}));
    let groups = json!({ "user-groups": {
        "students": { "users": ["ann"], "limits": { "max-memory": 24, "max-time": 5 } },
        "guests": { "users": ["guest@example.org"], "limits": { "max-wall-time": 1 } },
    }});
    server.reload_with(&busybox(), &groups);
    // A key is its name's, or whose it is said to be.
    let ann = server.add_key(&["ann"]);
    let also_ann = server.add_key(&["laptop", "--user", "ann"]);
    let eve = server.add_key(&["eve"]);
    for (key, memory, time) in [
        (&ann, 24, json!(5)),
        (&also_ann, 24, json!(5)),
        (&eve, 48, Value::Null),
    ] {
        let (_, ended) = run(&server, "hog", key, None);
        assert_eq!(ended["report"]["limit"], "memory", "{ended}");
        let told = &ended["report"]["limits"]["max-memory"];
        assert_eq!(told, &json!(memory), "{ended}");
        let told = json!({ "max_memory": memory, "max_time": time });
        assert_eq!(ended["limits"], told, "{ended}");
    }
    // Also by a limit that the API has no word for.
    let guest = server.add_key(&["visit", "--user", "guest@example.org"]);
    let (_, ended) = run(&server, "sleeper", &guest, None);
    assert_eq!(ended["report"]["limit"], "wall-time", "{ended}");
    let who = server.get("/v1/whoami", &also_ann).ok();
    assert_eq!(
        (
            &who["user"],
            &who["user_group"],
            &who["limits"]["max_memory"]
        ),
        (&json!("ann"), &json!("students"), &json!(24))
    );
}

#[test]
fn a_user_of_a_group_runs_no_more_at_once_than_it_may_with_whatever_keys() {
    let bench = Bench::new();
    let settings = json!({ "max-running": 5 });
    let mut server = Server::start(&bench, &[("sleeper", sleeper())], &settings);
    let group = |most: u32| {
        json!({ "user-groups": { "students": {
            "users": ["ann", "bob"],
            "limits": { "max-parallel-processes": most },
        }}})
    };
    server.reload_with(&busybox(), &group(1));
    let ann = server.add_key(&["ann"]);
    let also_ann = server.add_key(&["laptop", "--user", "ann"]);
    let bob = server.add_key(&["bob"]);
    let first = start(&server, "sleeper", &ann);
    waits_for(&server, &first, &ann, "ready");
    let second = start(&server, "sleeper", &also_ann);
    let other = start(&server, "sleeper", &bob);
    // Whose turn came later runs: the one before it was passed over.
    waits_for(&server, &other, &bob, "ready");
    assert_waits_for(&server, &second, &also_ann, "user-group");
    let monitor = server.add_key(&["prometheus", "--metrics"]);
    let metrics = server.get("/metrics", &monitor).text();
    let line = "opt_server_user_group_executions_running{user_group=\"students\"} 2";
    assert!(metrics.contains(line), "{metrics}");
    // What a server before this one began counts too.
    server.kill();
    server.start_again();
    let eve = server.add_key(&["eve"]);
    let later = start(&server, "sleeper", &eve);
    waits_for(&server, &later, &eve, "ready");
    assert_waits_for(&server, &second, &also_ann, "user-group");
    server.reload_with(&busybox(), &group(2));
    waits_for(&server, &second, &also_ann, "ready");
    server.signal(Signal::SIGTERM);
}

#[test]
fn a_command_runs_no_more_at_once_than_it_may_and_all_together_no_more_than_the_server() {
    let bench = Bench::new();
    let settings = json!({ "max-running": 5 });
    let server = Server::start(&bench, &[("one", sleeper())], &settings);
    let mut other = sleeper();
    other["command"] = json!("other");
    std::fs::write(server.site().join("functions/two.json"), other.to_string()).expect("write");
    let commands = json!([
        {
            "name": "busybox",
            "executable": "/usr/bin/busybox",
            "x-opt-runtime": { "limits": { "max-parallel-processes": 1 } },
        },
        { "name": "other", "executable": "/usr/bin/busybox" },
    ]);
    server.reload_with(
        &commands,
        &json!({ "limits": { "max-parallel-processes": 2 } }),
    );
    let key = server.add_key(&["tester"]);
    let first = start(&server, "one", &key);
    waits_for(&server, &first, &key, "ready");
    let second = start(&server, "one", &key);
    let third = start(&server, "two", &key);
    // It passes the one of the same key whose command is busy.
    waits_for(&server, &third, &key, "ready");
    let fourth = start(&server, "two", &key);
    assert_waits_for(&server, &fourth, &key, "server");
    assert_waits_for(&server, &second, &key, "server");
    server.ask("DELETE", &third, &key, b"").ok();
    waits_for(&server, &fourth, &key, "ready");
    server.reload_with(&commands, &json!({}));
    assert_waits_for(&server, &second, &key, "command");
    server.ask("DELETE", &first, &key, b"").ok();
    waits_for(&server, &second, &key, "ready");
}

#[test]
fn a_groups_rights_are_its_members_and_no_keys_that_were_made_for_one_thing() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[("sleeper", sleeper())], &json!({}));
    let ann = server.add_key(&["ann"]);
    let keys = [
        server.add_key(&["watcher"]),
        server.add_key(&["chief"]),
        server.add_key(&["one-thing", "--user", "chief", "--function", "sleeper"]),
    ];
    let [watcher, chief, one_thing] = keys.each_ref().map(String::as_str);
    let path = start(&server, "sleeper", &ann);
    waits_for(&server, &path, &ann, "ready");
    for key in &keys {
        server.get(&path, key).refused(404, "no execution");
        server.get("/metrics", key).refused(403, "reads metrics");
    }
    let groups = json!({ "user-groups": {
        "watchers": { "users": ["watcher"], "monitoring-rights": true },
        "chiefs": { "users": ["chief"], "admin-rights": true },
    }});
    server.reload_with(&busybox(), &groups);
    let metrics = server.get("/metrics", watcher);
    assert_eq!(metrics.status, 200, "{}", metrics.text());
    server.get(&path, watcher).refused(404, "no execution");
    server.get("/metrics", chief).refused(403, "reads metrics");
    for ask in ["", "/stop"] {
        let method = if ask.is_empty() { "GET" } else { "POST" };
        let ask = format!("{path}{ask}");
        server
            .ask(method, &ask, one_thing, b"")
            .refused(404, "no execution");
    }
    assert_eq!(server.get("/v1/executions", chief).ok()["total"], 1);
    assert_eq!(server.get("/v1/executions", one_thing).ok()["total"], 0);
    server.post(&format!("{path}/stop"), chief, b"").ok();
    assert_eq!(server.wait_for_end(&path, &ann)["state"], "stopped");
    // Admin rights make no keys: the master key does.
    server
        .post("/local/sleeper/api_keys?name=x", chief, b"")
        .refused(403, "master key");
}

#[test]
fn a_keys_user_is_said_when_it_is_made_and_told_when_keys_are_listed() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[("f", shell("true"))], &json!({}));
    let master = server.keys(&["master"]).expect(0).stdout.trim().to_owned();
    let made = server.post("/local/f/api_keys?name=web&user=ann", &master, b"");
    assert_eq!(made.ok()["user"], "ann");
    server.add_key(&["bob"]);
    let listed = server.keys(&["list", "--json"]).expect(0).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(
        [&listed[0]["user"], &listed[1]["user"]],
        [&json!("bob"), &json!("ann")]
    );
    server
        .post("/local/f/api_keys?name=x&user=a/b", &master, b"")
        .refused(400, "a slash");
    let refused = server.keys(&["add", "x", "--user", "a b"]).run();
    assert!(
        refused.code != Some(0) && refused.stderr.contains("white space"),
        "{refused}"
    );
}

#[test]
fn a_groups_limits_hold_in_a_sandbox_that_was_ready_before_anybody_called() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[("sleeper", sleeper())], &json!({}));
    // One that no call has a word for.
    let groups = json!({ "pool": 1, "user-groups": {
        "students": { "users": ["ann"], "limits": { "max-wall-time": 1 } },
    }});
    server.reload_with(&busybox(), &groups);
    let ann = server.add_key(&["ann"]);
    let monitor = server.add_key(&["prometheus", "--metrics"]);
    wait_until("one is ready", SOON, || {
        let metrics = server.get("/metrics", &monitor).text();
        metrics.contains("opt_server_pool_ready 1\n")
    });
    let (_, ended) = run(&server, "sleeper", &ann, None);
    let report = &ended["report"];
    assert_eq!(
        (&report["limit"], &report["from_pool"]),
        (&json!("wall-time"), &json!(true)),
        "{ended}"
    );
}
