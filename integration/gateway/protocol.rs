//! Shifter's protocol.

use integration::wait_until;
use serde_json::Value;

use crate::serving::{ADMIN, ANN, BOB, Gateway, SOON};

/// What Shifter's client asks, and what it has to be answered: `conversation.json`.
#[test]
fn shifters_client_is_answered_as_shifter_answers_it() {
    let gateway = Gateway::start();
    let text = include_str!("conversation.json").replace("@ID", gateway.origin.id());
    let conversation: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    for turn in &conversation {
        let why = turn["why"].as_str().expect("why");
        let uid = match turn["as"].as_str() {
            Some("ann") => ANN,
            Some("bob") => BOB,
            _ => ADMIN,
        };
        let ask = |index: usize| turn["ask"][index].as_str().expect("a text");
        let mut answer = gateway.ask_as(uid, ask(0), ask(1), ask(2));
        if let Some(status) = turn["until"].as_str() {
            wait_until(why, SOON, || {
                answer = gateway.ask_as(uid, ask(0), ask(1), ask(2));
                answer.json()["status"] == status
            });
        }
        assert_eq!(
            u64::from(answer.status),
            turn["status"],
            "{why}: {}",
            answer.text()
        );
        let body = answer.json();
        assert!(has(&body, &turn["body"]), "{why}: {body:#}");
    }
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
