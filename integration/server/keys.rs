//! API keys: made, limited, revoked; and what one key can know of another's.

use integration::{Bench, Server};
use serde_json::json;

use crate::{run, serving, shell, sleeper, waits_for};

/// A server with the functions `f` and `g`, and its master key.
fn with_master(bench: &Bench) -> (Server, String) {
    let functions = [("f", shell("echo hello")), ("g", shell("echo hello"))];
    let server = Server::start(bench, &functions, &json!({}));
    let master = server.keys(&["master"]).expect(0).stdout.trim().to_owned();
    (server, master)
}

#[test]
fn the_master_key_makes_and_deletes_keys_over_http() {
    let bench = Bench::new();
    let (server, master) = with_master(&bench);
    assert!(master.starts_with("master"), "{master}");
    let wanted = "/local/f/api_keys?name=web&max_memory=64&max_time=2&max_parallel_jobs=1";
    let made = server.post(wanted, &master, b"").ok();
    let key = made["key"].as_str().expect("the key");
    assert!(key.starts_with("apikey_"), "{made}");
    server.post(wanted, &master, b"").refused(409, "already");
    let path = server.create("f", key);
    let created = server.get(&path, key).ok();
    assert_eq!(
        created["limits"],
        json!({ "max_memory": 64, "max_time": 2 })
    );
    // It is this function's alone.
    server.get("/local/g", key).refused(404, "no function");
    server
        .post("/local/g/executions", key, b"")
        .refused(404, "no function");
    // It administers nothing, and the master key executes nothing.
    server.post(wanted, key, b"").refused(403, "master key");
    server
        .post("/local/f/executions", &master, b"")
        .refused(403, "API key");
    server
        .ask("DELETE", "/local/f/api_keys/web", key, b"")
        .refused(403, "master key");
    server
        .ask("DELETE", "/local/f/api_keys/web", &master, b"")
        .ok();
    server
        .ask("DELETE", "/local/f/api_keys/web", &master, b"")
        .refused(404, "no key");
    server.get("/local/f", key).refused(401, "not known");
    for wrong in [
        "",
        "?name=",
        "?name=a/b",
        "?name=a&max_memory=0",
        "?name=a&max_memroy=1",
    ] {
        server
            .post(&format!("/local/f/api_keys{wrong}"), &master, b"")
            .refused(400, "");
    }
}

#[test]
fn keys_are_made_listed_and_revoked_on_the_machine_too() {
    let bench = Bench::new();
    let (server, master) = with_master(&bench);
    let key = server.add_key(&["web", "--function", "f", "--max-memory", "64"]);
    server.get("/local/f", &key).ok();
    let listed = server.keys(&["list"]).expect(0).stdout;
    assert!(
        listed.contains("web") && listed.contains("64 MB"),
        "{listed}"
    );
    assert!(!listed.contains(&key[8..]), "{listed}");
    server.keys(&["revoke", "web"]).run().refused("no key");
    server.keys(&["revoke", "web", "--function", "f"]).expect(0);
    server.get("/local/f", &key).refused(401, "not known");
    // A new master key ends the old one.
    let renewed = server.keys(&["master"]).expect(0).stdout;
    server
        .post("/local/f/api_keys?name=a", &master, b"")
        .refused(401, "not known");
    server
        .post("/local/f/api_keys?name=a", renewed.trim(), b"")
        .ok();
}

#[test]
fn no_secret_is_on_the_disk() {
    let bench = Bench::new();
    let (server, master) = with_master(&bench);
    let key = server.add_key(&["web"]);
    run(&server, "f", &key, None);
    let found = integration::Tool::new("grep")
        .args(["-rlaF", "-e", &key[8..], "-e", &master[8..]])
        .arg(server.state())
        .arg(bench.path("server.log"))
        .run();
    assert_eq!(
        (found.code, found.stdout.as_str()),
        (Some(1), ""),
        "{found}"
    );
}

#[test]
fn an_execution_of_another_key_is_as_good_as_none() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &[("sleeper", sleeper())]);
    let other = server.add_key(&["other"]);
    let path = server.create("sleeper", &key);
    let id = path.rsplit('/').next().expect("an id");
    let missing = path.replace(id, &"x".repeat(32));
    let asks = [
        ("GET", ""),
        ("GET", "?stdout=true"),
        ("POST", "/start"),
        ("POST", "/stop"),
        ("POST", "/input/data"),
        ("GET", "/output/result"),
        ("DELETE", ""),
    ];
    for (method, rest) in asks {
        let theirs = server.ask(method, &format!("{path}{rest}"), &other, b"");
        let none = server.ask(method, &format!("{missing}{rest}"), &other, b"");
        theirs.refused(404, "no execution");
        // To the letter, but for the id.
        let shown = none.text().replace(&"x".repeat(32), id);
        assert_eq!(theirs.text(), shown, "{method} {rest}");
    }
    for rest in ["", "/events", "/output/stdout", "/files"] {
        let ours = format!("/v1/executions/{id}{rest}");
        server.get(&ours, &other).refused(404, "no execution");
    }
    let listed = server.get("/v1/executions", &other).ok();
    assert_eq!(listed["executions"], json!([]));
    assert_eq!(server.get(&path, &key).ok()["state"], "created");
}

#[test]
fn a_key_runs_no_more_at_once_than_it_may_and_others_pass_it() {
    let bench = Bench::new();
    let settings = json!({ "max-running": 3 });
    let server = Server::start(&bench, &[("sleeper", sleeper())], &settings);
    let one = server.add_key(&["one", "--max-parallel-jobs", "1"]);
    let other = server.add_key(&["other"]);
    let start = |key: &str| {
        let path = server.create("sleeper", key);
        server.post(&format!("{path}/start"), key, b"").ok();
        path
    };
    let first = start(&one);
    let second = start(&one);
    let third = start(&other);
    waits_for(&server, &first, &one, "ready");
    waits_for(&server, &third, &other, "ready");
    let told = server.get(&second, &one).ok();
    assert_eq!(
        (&told["state"], &told["position"]),
        (&json!("queued"), &json!(1))
    );
    server.ask("DELETE", &first, &one, b"").ok();
    waits_for(&server, &second, &one, "ready");
}

#[test]
fn full_queues_are_refused_and_say_when_to_come_again() {
    let bench = Bench::new();
    let settings = json!({ "max-running": 1, "max-queued": 3, "max-queued-per-key": 2, "max-kept-per-key": 4 });
    let server = Server::start(&bench, &[("sleeper", sleeper())], &settings);
    let keys = [server.add_key(&["one"]), server.add_key(&["other"])];
    let start = |key: &str| {
        let path = server.create("sleeper", key);
        server.post(&format!("{path}/start"), key, b"")
    };
    let running = server.create("sleeper", &keys[0]);
    server.post(&format!("{running}/start"), &keys[0], b"").ok();
    waits_for(&server, &running, &keys[0], "ready");
    start(&keys[0]).ok();
    start(&keys[0]).ok();
    start(&keys[0]).refused(429, "of this key wait already");
    server
        .post("/local/sleeper/executions", &keys[0], b"")
        .refused(429, "4 executions already");
    start(&keys[1]).ok();
    let full = start(&keys[1]);
    full.refused(503, "queue is full");
    assert_eq!(full.header("retry-after"), Some("3"));
}
