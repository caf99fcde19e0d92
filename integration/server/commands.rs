//! Command lines with a project archive, and their events.

use std::io::Write;

use integration::https::{Answer, Connection};
use integration::{Bench, Server, Tool};
use serde_json::{Value, json};

use crate::{SOON, UNTIL_GO, assert_nothing_left, waits_for};

/// A server and a key that may run command lines.
fn serving(bench: &Bench, settings: &Value) -> (Server, String) {
    let server = Server::start(bench, &[], settings);
    let key = server.add_key(&["tester", "--commands"]);
    (server, key)
}

/// The path that runs a script of busybox's shell.
fn shell(script: &str) -> String {
    let encoded: String = script.bytes().map(|byte| format!("%{byte:02x}")).collect();
    format!("/v1/commands/busybox?arg=sh&arg=-c&arg={encoded}")
}

/// The events of an answer, as name and data.
fn events(answer: &Answer) -> Vec<(String, Value)> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    answer
        .text()
        .split("\n\n")
        .filter_map(|event| {
            let name = event
                .lines()
                .find_map(|line| line.strip_prefix("event: "))?;
            let data = event.lines().find_map(|line| line.strip_prefix("data: "))?;
            Some((name.to_owned(), serde_json::from_str(data).expect("JSON")))
        })
        .collect()
}

/// What a stream printed, put together.
fn printed(events: &[(String, Value)], stream: &str) -> String {
    let own = events.iter().filter(|(name, _)| name == stream);
    own.map(|(_, data)| data["text"].as_str().expect("text"))
        .collect()
}

/// An archive of these files, by Debian's own program.
fn archive(bench: &Bench, name: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let place = bench.directory(&format!("{name}-files"));
    for (path, text) in files {
        let path = place.join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("make a directory");
        std::fs::write(path, text).expect("write");
    }
    let to = bench.path(name);
    Tool::new("tar")
        .arg("-czf")
        .arg(&to)
        .args(["-C"])
        .arg(&place)
        .arg(".")
        .expect(0);
    std::fs::read(to).expect("the archive")
}

#[test]
fn a_command_line_streams_what_it_prints_and_gives_changed_files_back() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &json!({}));
    let project = archive(
        &bench,
        "p.tgz",
        &[("in/a.txt", "alpha"), ("same.txt", "same")],
    );
    let script = "cat in/a.txt; echo to stderr >&2; echo beta > in/a.txt; mkdir out; echo new > out/n; exit 4";
    let answer = server.post(&shell(script), &key, &project);
    let events = events(&answer);
    assert_eq!(events[0].0, "status");
    assert_eq!(printed(&events, "stdout"), "alpha");
    assert_eq!(printed(&events, "stderr"), "to stderr\n");
    let (name, ended) = events.last().expect("events");
    assert_eq!((name.as_str(), &ended["exit_code"]), ("ended", &json!(4)));
    let path = format!("/v1/executions/{}", ended["id"].as_str().expect("an id"));
    let files = server.get(&format!("{path}/files"), &key);
    assert_eq!(files.header("content-type"), Some("application/gzip"));
    let tar = Tool::new("tar").args(["-tzf", "-"]).input(files.body);
    let listed = tar.expect(0).stdout;
    let mut names: Vec<&str> = listed.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["in/a.txt", "out/n"]);
    server.ask("DELETE", &path, &key, b"").ok();
    assert_nothing_left(&bench, server.state());
}

#[test]
fn events_come_as_they_happen_and_go_on_where_a_client_left_off() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &json!({}));
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", &*bearer), ("accept", "application/json")];
    let script = shell(&format!("echo one; {UNTIL_GO}; echo two"));
    let answer = server
        .client()
        .try_ask("POST", &script, &headers, b"")
        .expect("an answer");
    assert_eq!(answer.status, 202);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    waits_for(&server, &format!("/{id}"), &key, "one");
    assert_eq!(
        server.get(&format!("/v1/executions/{id}"), &key).ok()["state"],
        "running"
    );
    server.go(&id);
    let rest = events(&server.get(&format!("/v1/executions/{id}/events?stdout=4"), &key));
    assert_eq!(printed(&rest, "stdout"), "two\n");
    let all = events(&server.get(&format!("/v1/executions/{id}/events"), &key));
    assert_eq!(printed(&all, "stdout"), "one\ntwo\n");
}

#[test]
fn only_keys_for_commands_run_commands() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &json!({}));
    let functions_only = server.add_key(&["other"]);
    server
        .post(&shell("true"), &functions_only, b"")
        .refused(403, "--commands");
    server
        .post("/v1/commands/absent", &key, b"")
        .refused(404, "no command");
    server
        .post("/v1/commands/busybox?argument=x", &key, b"")
        .refused(400, "unknown parameter");
    assert_eq!(
        server.get("/v1/commands", &key).ok()["commands"],
        json!(["busybox"])
    );
}

#[test]
fn hostile_archives_are_refused_and_leave_nothing() {
    let bench = Bench::new();
    let (server, key) = serving(
        &bench,
        &json!({ "max-upload-mb": 1, "max-archive-files": 5 }),
    );
    let place = bench.directory("hostile");
    std::fs::write(place.join("f"), "x").expect("write");
    std::os::unix::fs::symlink("/etc/passwd", place.join("link")).expect("link");
    std::fs::hard_link(place.join("f"), place.join("hard")).expect("link");
    std::fs::write(place.join("bomb"), vec![0; 2 << 20]).expect("write");
    let tar = |arguments: &[&str]| -> Vec<u8> {
        let to = bench.path("hostile.tar");
        Tool::new("tar")
            .args(["-P", "-czf"])
            .arg(&to)
            .arg("-C")
            .arg(&place)
            .args(arguments)
            .expect(0);
        std::fs::read(to).expect("the archive")
    };
    let absolute = place.join("f").display().to_string();
    for (archive, status, fault) in [
        (tar(&["--transform=s,f,../f,", "f"]), 400, "\"..\""),
        (tar(&[&absolute]), 400, "absolute"),
        (tar(&["link"]), 400, "leads out"),
        (tar(&["f", "hard"]), 400, "hard link"),
        (tar(&["bomb"]), 413, "more than 1048576 bytes"),
        (tar(&["--hard-dereference", "f", "f"]), 400, "twice"),
        (b"neither".to_vec(), 400, "neither a tar archive"),
    ] {
        server
            .post(&shell("true"), &key, &archive)
            .refused(status, fault);
    }
    server
        .post(&shell("true"), &key, &vec![0; 2 << 20])
        .refused(413, "larger than");
    assert_nothing_left(&bench, server.state());
    assert_eq!(server.get("/v1/executions", &key).ok()["total"], 0);
}

#[test]
fn arguments_reach_the_command_as_they_are() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &json!({}));
    let answer = server.post(
        "/v1/commands/busybox?arg=echo&arg=-m&arg=a%20b&arg=%24(id)&arg=--help",
        &key,
        b"",
    );
    assert_eq!(printed(&events(&answer), "stdout"), "-m a b $(id) --help\n");
}

#[test]
fn a_sandbox_is_explained_without_running_anything() {
    let bench = Bench::new();
    let server = Server::start_with(
        &bench,
        &bench.path("server"),
        &[],
        &json!({}),
        &["--sandbox-info"],
    );
    let key = server.add_key(&["tester", "--commands"]);
    let explained = server.get("/v1/commands/busybox/sandbox", &key).ok();
    let mounts = explained["mounts"].as_array().expect("mounts");
    assert!(
        mounts
            .iter()
            .any(|mount| mount["path"] == "/usr/bin/busybox"),
        "{explained}"
    );
    assert!(
        !explained
            .to_string()
            .contains(&server.state().display().to_string()),
        "{explained}"
    );
    // When a command is called, the server's terminal has it, and the caller's log hasn't.
    let answer = server.post(&shell("echo hello"), &key, b"");
    let events = events(&answer);
    assert_eq!(
        printed(&events, "stdout") + &printed(&events, "stderr"),
        "hello\n"
    );
    server.logs("Mount: '/usr/bin/busybox' read-only: the command itself");
}

/// A client that runs `script` and follows it.
fn following(server: &Server, key: &str, script: &str) -> Connection {
    let mut connection = server.client().connect().expect("connect");
    let path = shell(script);
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-length: 0\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).expect("ask");
    connection
}

#[test]
fn a_client_that_goes_away_leaves_its_execution_to_itself() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &json!({}));
    let script = format!("echo one; {UNTIL_GO}; echo two");
    let connection = following(&server, &key, &script);
    let listed = || server.get("/v1/executions", &key).ok()["executions"][0].clone();
    integration::wait_until("it runs", SOON, || listed()["state"] == "running");
    drop(connection);
    server.go(listed()["id"].as_str().expect("an id"));
    integration::wait_until("it ends", SOON, || listed()["state"] == "ended");
    assert_eq!(listed()["exit_code"], 0);
}

#[test]
fn who_follows_no_more_is_looked_for_no_more() {
    let bench = Bench::new();
    let arguments = ["--log-level", "debug"];
    let server = Server::start_with(&bench, &bench.path("server"), &[], &json!({}), &arguments);
    let key = server.add_key(&["tester", "--commands"]);
    let connection = following(&server, &key, "sleep 600");
    let listed = || server.get("/v1/executions", &key).ok()["executions"][0].clone();
    integration::wait_until("it runs", SOON, || listed()["state"] == "running");
    drop(connection);
    server.logs("nobody follows any more");
    assert_eq!(listed()["state"], "running");
}
