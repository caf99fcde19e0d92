//! Shifter's protocol.

use std::io::Write;
use std::net::TcpStream;

use integration::https::Answer;
use integration::wait_until;
use serde_json::{Value, json};

use crate::serving::{ADMIN, ANN, BOB, Gateway, SOON};

/// What Shifter's own `shifterimg` (22.02.1, with libcurl 7.88.1 and libmunge 0.5.15) has sent to this gateway, byte by
/// byte but for credentials and the port, and what it was answered: `shifterimg.json`. It printed what it should.
#[test]
fn shifters_own_client_is_answered_so_that_it_understands() {
    // One that is asked again soon after a failure tries again.
    let gateway = Gateway::with(&json!({ "PullUpdateTimeout": 1 }));
    let text = include_str!("shifterimg.json");
    let text = text
        .replace("@ID", gateway.origin.id())
        .replace("@HOST", &gateway.address);
    let turns: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    for turn in &turns {
        let client = turn["client"].as_str().expect("client");
        let answer = answered(client, turn, &turn["answer"], || say(&gateway, turn));
        let body = answer.json();
        // It takes nothing else for an answer.
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{client}"
        );
        for record in body["list"].as_array().unwrap_or(&vec![body.clone()]) {
            let time = &record["last_pull"];
            assert!(time.is_null() || time.is_f64(), "{client}: {time}");
        }
    }
    assert_eq!(turns.len(), 32);
}

/// Sends what a turn says, with a credential of its own, on a connection that stays open as the client has it.
fn say(gateway: &Gateway, turn: &Value) -> Answer {
    let payload = turn["payload"].as_str().unwrap_or_default();
    let credential = gateway.munged.credential(user(turn), payload, &[]);
    let lines = turn["sends"].as_array().expect("sends");
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.as_str().expect("a line"))
        .collect();
    let head = lines.join("\r\n").replace("@CREDENTIAL", &credential);
    let body = turn["body"].as_str().unwrap_or_default();
    let mut stream = TcpStream::connect(&gateway.address).expect("connect");
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    stream
        .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
        .expect("write");
    Answer::read_one(stream).expect("an answer")
}

fn user(turn: &Value) -> u32 {
    match turn["as"].as_str() {
        Some("ann") => ANN,
        Some("bob") => BOB,
        _ => ADMIN,
    }
}

/// All that can be asked by Shifter's protocol, by its reference, and what has to be answered: `conversation.json`.
#[test]
fn shifters_protocol_is_answered_as_shifter_answers_it() {
    let gateway = Gateway::start();
    let text = include_str!("conversation.json").replace("@ID", gateway.origin.id());
    let conversation: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    for turn in &conversation {
        let why = turn["why"].as_str().expect("why");
        let uid = user(turn);
        let ask = |index: usize| turn["ask"][index].as_str().expect("a text");
        answered(why, turn, &turn["body"], || {
            gateway.ask_as(uid, ask(0), ask(1), ask(2))
        });
    }
}

/// The answer to a turn of a conversation, asked for until it has the status that is waited for, if any. It has to have
/// the turn's status and to say all that is `wanted`.
fn answered(who: &str, turn: &Value, wanted: &Value, ask: impl Fn() -> Answer) -> Answer {
    let mut answer = ask();
    if let Some(status) = turn["until"].as_str() {
        wait_until(who, SOON, || {
            answer = ask();
            answer.json()["status"] == status
        });
    }
    assert_eq!(
        u64::from(answer.status),
        turn["status"],
        "{who}: {}",
        answer.text()
    );
    let body = answer.json();
    assert!(has(&body, wanted), "{who}: {body:#}");
    answer
}

/// Whether `found` says all that is `wanted`.
fn has(found: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(wanted) => wanted
            .iter()
            .all(|(key, wanted)| found.get(key).is_some_and(|found| has(found, wanted))),
        Value::Array(wanted) => found.as_array().is_some_and(|found| {
            found.len() == wanted.len()
                && found
                    .iter()
                    .zip(wanted)
                    .all(|(found, wanted)| has(found, wanted))
        }),
        other => found == other,
    }
}

#[test]
fn version_2_says_what_is_wrong_by_its_status() {
    let gateway = Gateway::start();
    for (uid, method, path, body, status) in [
        (ANN, "GET", "/v2/systems/cluster/images", "", 200),
        (ANN, "GET", "/v2/systems/nowhere/images", "", 404),
        (ANN, "GET", "/v2/systems/cluster/images/0", "", 404),
        (ANN, "DELETE", "/v2/systems/cluster/images/0", "", 404),
        (ANN, "GET", "/v2/systems/cluster/names/docker/x:1", "", 404),
        (
            ANN,
            "POST",
            "/v2/systems/cluster/pulls/docker/a:b:c",
            "",
            400,
        ),
        (
            ANN,
            "POST",
            "/v2/systems/cluster/pulls/docker/x:1",
            "{\"uids\":[1]}",
            400,
        ),
        (ANN, "POST", "/v2/systems/cluster/pulls/docker/x:1", "", 202),
        (ANN, "GET", "/v2/systems/cluster/lookups", "", 403),
        (ADMIN, "GET", "/v2/systems/cluster/lookups", "", 200),
        (
            ANN,
            "POST",
            "/v2/systems/cluster/expire/docker/x:1",
            "",
            403,
        ),
        (
            ADMIN,
            "POST",
            "/v2/systems/cluster/expire/docker/y:1",
            "",
            404,
        ),
        (ANN, "POST", "/v2/systems/cluster/autoexpire", "", 403),
        (ADMIN, "POST", "/v2/systems/cluster/autoexpire", "", 200),
        (ANN, "DELETE", "/v2/systems/cluster/queue/99", "", 404),
        (ANN, "PUT", "/v2/systems/cluster/images", "", 405),
        (ANN, "GET", "/nowhere", "", 404),
        (ANN, "GET", "/metrics", "", 403),
        (ADMIN, "GET", "/metrics", "", 200),
    ] {
        let answer = gateway.ask_as(uid, method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let long = "x".repeat(300 << 10);
    let answer = gateway.ask_as(ANN, "POST", "/v2/systems/cluster/pulls/docker/x:1", &long);
    assert_eq!(answer.status, 413);
    let answer = gateway.ask("GET", "/v2/openapi.json", &[], "");
    assert_eq!(answer.json()["openapi"], "3.1.0");
}
