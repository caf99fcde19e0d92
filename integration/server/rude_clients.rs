//! Clients that are slow, greedy or silent: each loses its own connection, and nobody else notices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use integration::https::{Answer, Connection};
use integration::{Bench, Server, wait_until};
use serde_json::{Value, json};

use crate::{SOON, run, shell};

fn serving(bench: &Bench, settings: &Value) -> (Server, String) {
    let functions = [
        ("f", shell("cat data.txt")),
        ("flood", shell("yes | head -c 9000000 > result.json")),
    ];
    let server = Server::start(bench, &functions, settings);
    let key = server.add_key(&["tester"]);
    (server, key)
}

/// A connection on which `text` was written.
fn wrote(server: &Server, text: &str) -> Connection {
    let mut connection = server.client().connect().expect("connect");
    connection.write_all(text.as_bytes()).expect("write");
    connection.flush().expect("write");
    connection
}

/// Fails unless an ordinary client is served at once.
#[track_caller]
fn serves_others(server: &Server, key: &str) {
    let began = Instant::now();
    let (path, _) = run(server, "f", key, Some(b"hello"));
    assert_eq!(server.get(&path, key).ok()["log"], "hello");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn a_client_that_uploads_forever_is_cut_off() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &json!({ "body-seconds": 2, "idle-seconds": 1 }));
    let path = server.create("f", &key);
    let head = format!(
        "POST {path}/input/data HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    // One that drips, and one that says nothing more.
    let mut dripping = wrote(&server, &head);
    let silent = wrote(&server, &head);
    serves_others(&server, &key);
    let began = Instant::now();
    let longest = Duration::from_secs(30);
    while dripping
        .write_all(b"1\r\nx\r\n")
        .and_then(|()| dripping.flush())
        .is_ok()
    {
        thread::sleep(Duration::from_millis(100));
        assert!(began.elapsed() < longest, "it still takes what drips in");
    }
    Answer::read(silent)
        .expect("an answer")
        .refused(408, "too long");
    // Cut off while it was writing, it may not hear why.
    if let Ok(answer) = Answer::read(dripping) {
        answer.refused(408, "too long");
    }
    // Nothing of it is the execution's input.
    assert_eq!(server.get(&path, &key).ok()["input"], json!({}));
}

#[test]
fn a_client_that_sends_more_than_it_may_is_refused_while_it_sends() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &json!({}));
    let path = server.create("f", &key);
    let mut connection = wrote(
        &server,
        &format!(
            "POST {path}/input/data HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n"
        ),
    );
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    // It never ends its body; the server ends it.
    for _ in 0..40 {
        if connection.write_all(piece.as_bytes()).is_err() {
            break;
        }
    }
    match Answer::read(connection) {
        Ok(answer) => answer.refused(413, "1000000 bytes"),
        // Cut off before it listened.
        Err(error) => assert!(!error.to_string().contains("200"), "{error}"),
    }
    serves_others(&server, &key);
    assert_eq!(server.get(&path, &key).ok()["input"], json!({}));
}

#[test]
fn a_client_that_never_reads_is_given_up() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &json!({ "idle-seconds": 1 }));
    let (path, ended) = run(&server, "flood", &key, None);
    assert_eq!(ended["output"][0]["id"], "result", "{ended}");
    let master = server.keys(&["master"]).expect(0).stdout.trim().to_owned();
    let connections = || {
        let text = server.get("/metrics", &master).text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("opt_server_connections "));
        line.expect("the gauge").parse::<u32>().expect("a number")
    };
    let request = format!(
        "GET {path}/output/result HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n"
    );
    let silent: Vec<Connection> = (0..3).map(|_| wrote(&server, &request)).collect();
    wait_until("they are connected", SOON, || connections() >= 4);
    serves_others(&server, &key);
    // The asking one is left.
    wait_until("they are given up", SOON, || connections() == 1);
    drop(silent);
    assert_eq!(
        server
            .get(&format!("{path}/output/result"), &key)
            .body
            .len(),
        9_000_000
    );
}

#[test]
fn connections_have_their_limits_and_plain_http_has_none() {
    let bench = Bench::new();
    let settings = json!({ "max-connections": 6, "max-connections-per-address": 4 });
    let (server, key) = serving(&bench, &settings);
    let address = server.address();
    let silent: Vec<TcpStream> = (0..4)
        .map(|_| TcpStream::connect(&address).expect("connect"))
        .collect();
    thread::sleep(Duration::from_millis(200));
    // One too many from this address: closed without a word.
    assert!(
        server
            .client()
            .try_ask("GET", "/healthz", &[], b"")
            .is_err()
    );
    drop(silent);
    wait_until("they are gone", SOON, || {
        server.client().try_ask("GET", "/healthz", &[], b"").is_ok()
    });
    serves_others(&server, &key);
    let mut plain = TcpStream::connect(&address).expect("connect");
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .expect("write");
    let mut answer = vec![];
    // An alert of TLS's, or nothing.
    let _ = plain.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1 200"));
}

#[test]
fn headers_have_a_size_and_a_number() {
    let bench = Bench::new();
    let (server, key) = serving(&bench, &json!({}));
    let many: String = (0..100)
        .map(|number| format!("x-{number}: y\r\n"))
        .collect();
    let long = format!("x: {}\r\n", "y".repeat(100_000));
    for headers in [many, long] {
        let mut connection = server.client().connect().expect("connect");
        // It may be cut off while it writes.
        let _ = connection.write_all(
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
                .as_bytes(),
        );
        if let Ok(answer) = Answer::read(connection) {
            assert_eq!(answer.status, 431, "{}", answer.text());
        }
    }
    serves_others(&server, &key);
}

#[test]
fn inputs_that_come_at_the_same_time_hold_no_more_together_than_they_may() {
    let bench = Bench::new();
    let mut function = shell("true");
    function["inputs"] = json!([{ "id": "one", "path": "1" }, { "id": "two", "path": "2" }]);
    let settings = json!({ "max-upload-mb": 1 });
    let server = Server::start(&bench, &[("f", function)], &settings);
    let key = server.add_key(&["tester"]);
    let path = server.create("f", &key);
    let half = "x".repeat(0xc0000);
    let mut slow = wrote(
        &server,
        &format!(
            "POST {path}/input/one HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             connection: close\r\ntransfer-encoding: chunked\r\n\r\nc0000\r\n{half}\r\n"
        ),
    );
    let id = path.rsplit('/').next().expect("an id");
    let place = server.state().join("executions").join(id);
    wait_until("the first one is on its way", SOON, || {
        let names = std::fs::read_dir(&place).expect("its files");
        names
            .map(|entry| entry.expect("a file").file_name())
            .any(|name| name.to_string_lossy().starts_with("upload"))
    });
    server
        .post(&format!("{path}/input/two"), &key, half.as_bytes())
        .ok();
    slow.write_all(b"0\r\n\r\n").expect("write");
    slow.flush().expect("write");
    Answer::read(slow)
        .expect("an answer")
        .refused(413, "1048576 bytes");
    let told = server.get(&path, &key).ok();
    assert_eq!(told["input"], json!({ "two": 0xc0000 }));
    assert_eq!(std::fs::read_dir(&place).expect("its files").count(), 1);
}

#[test]
fn who_may_have_no_more_is_told_before_uploading_a_project() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[], &json!({ "max-kept-per-key": 1 }));
    let key = server.add_key(&["tester", "--commands"]);
    let ask = |length: u32| {
        format!(
            "POST /v1/commands/busybox?arg=true HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             connection: close\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let first = Answer::read(wrote(&server, &ask(0))).expect("an answer");
    assert_eq!(first.status, 200, "{}", first.text());
    // Not a byte of the body comes.
    Answer::read(wrote(&server, &ask(1_000_000)))
        .expect("an answer")
        .refused(429, "1 executions already");
}
