//! The Functions API, call by call as the published clients make them.

use integration::Bench;
use serde_json::{Value, json};

use crate::{UNTIL_GO, assert_nothing_left, run, serving, shell, sleeper, waits_for};

/// What both clients do, in their order: describe, create, upload, start, poll, download, terminate.
#[test]
fn a_function_is_executed_as_the_published_clients_do_it() {
    let bench = Bench::new();
    let script = r#"echo "got $(cat data.txt)"; echo "{\"sum\": 3}" > result.json"#;
    let (server, key) = serving(&bench, &[("add", shell(script))]);
    let described = server.get("/local/add", &key).ok();
    assert_eq!(described["input"][0]["id"], "data");
    assert!(!described.to_string().contains("busybox"), "{described}");
    let path = server.create("add", &key);
    server
        .post(&format!("{path}/input/data"), &key, b"1 2")
        .ok();
    server.post(&format!("{path}/start"), &key, b"").ok();
    let ended = server.wait_for_end(&path, &key);
    assert_eq!(
        ended["output"],
        json!([{ "id": "result", "path": "result.json" }])
    );
    assert_eq!(
        (&ended["state"], &ended["exit_code"]),
        (&json!("ended"), &json!(0))
    );
    let log = server.get(&path, &key).ok();
    assert_eq!(log["log"], "got 1 2\n");
    let result = server.get(&format!("{path}/output/result"), &key);
    assert_eq!(result.json(), json!({ "sum": 3 }));
    server.ask("DELETE", &path, &key, b"").ok();
    server.get(&path, &key).refused(404, "no execution");
    assert_nothing_left(&bench, server.state());
}

#[test]
fn each_poll_for_stdout_brings_what_is_new_and_all_of_it_together() {
    let bench = Bench::new();
    let script = format!(
        "for i in 1 2 3 4 5 6; do echo line $i; echo error $i >&2; [ $i != 3 ] || {UNTIL_GO}; done"
    );
    let (server, key) = serving(&bench, &[("count", shell(&script))]);
    let path = server.create("count", &key);
    server.post(&format!("{path}/start"), &key, b"").ok();
    let mut text = String::new();
    let mut pieces = 0;
    loop {
        let told = server.get(&format!("{path}?stdout=true"), &key).ok();
        let piece = told["stdout"].as_str().expect("stdout in every answer");
        pieces += usize::from(!piece.is_empty());
        text.push_str(piece);
        if pieces == 1 {
            server.go(&path);
        }
        if told["status"] == "ended" {
            break;
        }
        assert_eq!(told["status"], "running");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let wanted: String = (1..=6).map(|i| format!("line {i}\nerror {i}\n")).collect();
    assert_eq!(text, wanted);
    assert!(pieces > 1, "it all came at once, so this tests nothing");
    let again = server.get(&format!("{path}?stdout=true"), &key).ok();
    assert_eq!(again["stdout"], "");
}

#[test]
fn a_client_that_resumes_gets_the_log_from_the_start() {
    let bench = Bench::new();
    let script = format!("echo one; {UNTIL_GO}; echo two");
    let (server, key) = serving(&bench, &[("f", shell(&script))]);
    let path = server.create("f", &key);
    server.post(&format!("{path}/start"), &key, b"").ok();
    waits_for(&server, &path, &key, "one");
    assert_eq!(server.get(&path, &key).ok()["log"], "one\n");
    assert_eq!(server.get(&path, &key).ok()["log"], "");
    let quiet = server.get(&format!("{path}?include_log=false"), &key).ok();
    assert_eq!(quiet.get("log"), None);
    server.go(&path);
    let mut log = String::new();
    integration::wait_until("it ends", crate::SOON, || {
        let told = server.get(&path, &key).ok();
        log.push_str(told["log"].as_str().expect("a log"));
        told["status"] == "ended"
    });
    assert_eq!(log, "one\ntwo\n");
}

#[test]
fn errors_are_json_with_a_message_wherever_they_come_from() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &[("f", shell("true")), ("sleeper", sleeper())]);
    server
        .get("/local/absent", &key)
        .refused(404, "no function");
    server.get("/joe/f", &key).refused(404, "no function");
    server
        .get("/no/such/path/at/all", &key)
        .refused(404, "nothing at this path");
    server
        .ask("PUT", "/local/f", &key, b"")
        .refused(405, "no such method");
    server
        .get("/local/f", "apikey_wrong")
        .refused(401, "not known");
    let none = server
        .client()
        .try_ask("GET", "/local/f", &[], b"")
        .expect("an answer");
    none.refused(401, "Authorization");
    let path = server.create("f", &key);
    server
        .get(&format!("{path}?stdout=perhaps"), &key)
        .refused(400, "");
    server
        .post(&format!("{path}/input/other"), &key, b"")
        .refused(404, "it takes data");
    server
        .get(&format!("{path}/output/result"), &key)
        .refused(409, "ended");
    let big = vec![b'x'; 1_000_001];
    server
        .post(&format!("{path}/input/data"), &key, &big)
        .refused(413, "1000000 bytes");
    server.post(&format!("{path}/start"), &key, b"").ok();
    server
        .post(&format!("{path}/start"), &key, b"")
        .refused(409, "started once");
    server
        .post(&format!("{path}/input/data"), &key, b"x")
        .refused(409, "before it is started");
    // A function's execution is not another function's.
    let other = path.replace("/f/", "/sleeper/");
    server.get(&other, &key).refused(404, "no execution");
    server.wait_for_end(&path, &key);
    server
        .get(&format!("{path}/output/result"), &key)
        .refused(404, "made no output");
}

#[test]
fn what_is_required_must_be_there_before_the_start() {
    let bench = Bench::new();
    let mut function = shell("cat data.txt");
    function["inputs"][0]["required"] = json!(true);
    let (server, key) = serving(&bench, &[("f", function)]);
    let path = server.create("f", &key);
    server
        .post(&format!("{path}/start"), &key, b"")
        .refused(400, "missing input: data");
    server
        .post(&format!("{path}/input/data"), &key, b"first")
        .ok();
    server
        .post(&format!("{path}/input/data"), &key, b"second")
        .ok();
    server.post(&format!("{path}/start"), &key, b"").ok();
    server.wait_for_end(&path, &key);
    assert_eq!(server.get(&path, &key).ok()["log"], "second");
}

#[test]
fn fixed_files_are_copies_that_no_execution_can_change_for_the_next() {
    let bench = Bench::new();
    let mut function = shell("cat model.txt; echo changed > model.txt; cp model.txt result.json");
    function["files"] = json!({ "model.txt": "model.txt" });
    bench.directory("site/functions");
    bench.file("site/functions/model.txt", "the model\n");
    let (server, key) = serving(&bench, &[("f", function)]);
    for _ in 0..2 {
        let (path, _) = run(&server, "f", &key, None);
        assert_eq!(server.get(&path, &key).ok()["log"], "the model\n");
        let result = server.get(&format!("{path}/output/result"), &key);
        assert_eq!(result.text(), "changed\n");
    }
}

#[test]
fn a_link_to_a_file_of_the_hosts_is_no_output() {
    let bench = Bench::new();
    let script = "ln -s /etc/passwd result.json; ln -s ../stdout other";
    let mut function = shell(script);
    function["outputs"] = json!([
        { "id": "result", "path": "result.json" },
        { "id": "other", "path": "other" },
    ]);
    let (server, key) = serving(&bench, &[("f", function)]);
    let (path, ended) = run(&server, "f", &key, None);
    assert_eq!(ended["output"], json!([]));
    server
        .get(&format!("{path}/output/result"), &key)
        .refused(404, "made no output");
}

#[test]
fn stop_ends_what_runs_and_what_waits() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &[("sleeper", sleeper())]);
    let paths: Vec<String> = (0..4).map(|_| server.create("sleeper", &key)).collect();
    for path in &paths {
        server.post(&format!("{path}/start"), &key, b"").ok();
    }
    waits_for(&server, &paths[0], &key, "ready");
    waits_for(&server, &paths[1], &key, "ready");
    let waiting = server.get(&paths[3], &key).ok();
    let told = (&waiting["state"], &waiting["status"], &waiting["position"]);
    assert_eq!(told, (&json!("queued"), &json!("running"), &json!(2)));
    // What waits ends at once, what runs when its command has.
    server.post(&format!("{}/stop", paths[3]), &key, b"").ok();
    server.post(&format!("{}/stop", paths[0]), &key, b"").ok();
    for path in [&paths[0], &paths[3]] {
        let ended = server.wait_for_end(path, &key);
        assert_eq!(ended["state"], "stopped", "{ended}");
    }
    // Its place is the next one's.
    waits_for(&server, &paths[2], &key, "ready");
    for path in &paths {
        server.ask("DELETE", path, &key, b"").ok();
        server.get(path, &key).refused(404, "no execution");
    }
    assert_nothing_left(&bench, server.state());
}

#[test]
fn a_command_that_ignores_the_request_to_end_is_ended_by_force() {
    let bench = Bench::new();
    let stubborn = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    let settings = json!({ "grace-seconds": 1 });
    let server = integration::Server::start(&bench, &[("stubborn", stubborn)], &settings);
    let key = server.add_key(&["tester"]);
    let path = server.create("stubborn", &key);
    server.post(&format!("{path}/start"), &key, b"").ok();
    waits_for(&server, &path, &key, "ready");
    server.post(&format!("{path}/stop"), &key, b"").ok();
    assert_eq!(server.wait_for_end(&path, &key)["state"], "stopped");
    server.ask("DELETE", &path, &key, b"").ok();
    assert_nothing_left(&bench, server.state());
}

#[test]
fn a_command_that_fails_has_ended_with_its_code() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &[("f", shell("echo oops >&2; exit 3"))]);
    let (path, ended) = run(&server, "f", &key, None);
    assert_eq!(
        (&ended["state"], &ended["exit_code"]),
        (&json!("ended"), &json!(3))
    );
    assert_eq!(server.get(&path, &key).ok()["log"], "oops\n");
    assert_eq!(ended["output"], Value::Array(vec![]));
}

#[test]
fn project_files_belong_to_the_service_and_not_to_root() {
    use std::os::unix::fs::MetadataExt;

    let bench = Bench::new();
    let script = "touch data.txt new && ls -ln . > result.json";
    let (server, key) = serving(&bench, &[("f", shell(script))]);
    let (path, _) = run(&server, "f", &key, Some(b"x"));
    let id = path.rsplit('/').next().expect("an id");
    let project = server.state().join("executions").join(id).join("project");
    for name in [".", "data.txt", "new", "result.json"] {
        let found = std::fs::metadata(project.join(name)).expect(name);
        assert_eq!(
            (found.uid(), found.gid()),
            (0x6fff_ffff, 0x6fff_ffff),
            "{name}"
        );
    }
}

#[test]
fn a_page_of_another_site_may_call_with_a_key() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &[("f", shell("true"))]);
    let asks = [
        ("origin", "http://localhost:8080"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    let path = "/local/f/executions";
    let preflight = server
        .client()
        .try_ask("OPTIONS", path, &asks, b"")
        .expect("an answer");
    assert_eq!(preflight.status, 204);
    let allowed = preflight.header("access-control-allow-headers");
    assert!(allowed.is_some_and(|names| names.contains("authorization")));
    for answer in [
        preflight,
        server.post(path, &key, b""),
        server.get("/no", "apikey_wrong"),
    ] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        // A key is all that counts: nothing that browsers send on their own.
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
}
