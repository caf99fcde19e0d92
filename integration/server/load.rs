//! Many executions at once: none lost, none mixed up.

use std::sync::Mutex;
use std::thread;

use integration::{Bench, Server};
use serde_json::json;

use crate::{assert_nothing_left, shell};

const EXECUTIONS: usize = 200;
const AT_ONCE: usize = 8;

#[test]
fn of_200_executions_8_at_once_none_is_lost_and_none_mixed_up() {
    let bench = Bench::new();
    let settings = json!({ "max-running": AT_ONCE, "max-queued": EXECUTIONS });
    let function = shell("cat data.txt; cp data.txt result.json");
    let server = Server::start(&bench, &[("echo", function)], &settings);
    let keys: Vec<String> = (0..4)
        .map(|number| server.add_key(&[&format!("key{number}")]))
        .collect();
    let numbers = Mutex::new(0..EXECUTIONS);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = numbers.lock().expect("a lock").next();
                    let Some(number) = next else {
                        return;
                    };
                    let key = keys.get(number % keys.len()).expect("a key");
                    one(&server, key, number);
                }
            });
        }
    });
    assert_nothing_left(&bench, server.state());
    let metrics = server.add_key(&["prometheus", "--metrics"]);
    let text = server.get("/metrics", &metrics).text();
    let ended = format!("opt_server_executions_ended_total{{state=\"ended\"}} {EXECUTIONS}\n");
    assert!(text.contains(&ended), "{text}");
}

/// One execution from its creation to its deletion, with an input that no other has.
fn one(server: &Server, key: &str, number: usize) {
    let own = format!("this is number {number}, and no other\n");
    let path = server.create("echo", key);
    server
        .post(&format!("{path}/input/data"), key, own.as_bytes())
        .ok();
    server.post(&format!("{path}/start"), key, b"").ok();
    let ended = server.wait_for_end(&path, key);
    assert_eq!(
        (&ended["state"], &ended["exit_code"]),
        (&json!("ended"), &json!(0)),
        "{ended}"
    );
    assert_eq!(server.get(&path, key).ok()["log"], own.as_str());
    assert_eq!(
        server.get(&format!("{path}/output/result"), key).text(),
        own
    );
    server.ask("DELETE", &path, key, b"").ok();
}
