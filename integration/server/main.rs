//! `opt-server --start`, driven over HTTPS as its clients drive it.

mod commands;
mod functions;
mod keys;
mod limits;
mod load;
mod operation;
mod page;
mod pool;
mod restart;
mod rude_clients;
mod user_groups;

use std::fs;
use std::path::Path;

use integration::{Bench, Server};
use serde_json::{Value, json};

/// A function of busybox's shell, with one input and one output.
fn shell(script: &str) -> Value {
    json!({
        "command": "busybox",
        "arguments": ["sh", "-c", script],
        "inputs": [{ "id": "data", "path": "data.txt", "required": false, "max-bytes": 1_000_000 }],
        "outputs": [{ "id": "result", "path": "result.json" }],
    })
}

/// A function that tells that it runs, and then waits for its end.
fn sleeper() -> Value {
    shell("echo ready; sleep 600")
}

/// What a script waits for between two of its steps: until the test says [`Server::go`].
const UNTIL_GO: &str = "until [ -e go ]; do sleep 0.05; done";

/// A server with these functions and a key that calls them.
fn serving(bench: &Bench, functions: &[(&str, Value)]) -> (Server, String) {
    let server = Server::start(bench, functions, &json!({ "max-running": 2 }));
    let key = server.add_key(&["tester"]);
    (server, key)
}

/// Runs a function to its end: the path of its execution, and the last answer.
#[track_caller]
fn run(server: &Server, function: &str, key: &str, input: Option<&[u8]>) -> (String, Value) {
    let path = server.create(function, key);
    if let Some(input) = input {
        server.post(&format!("{path}/input/data"), key, input).ok();
    }
    server.post(&format!("{path}/start"), key, b"").ok();
    let last = server.wait_for_end(&path, key);
    (path, last)
}

/// Waits until the execution at `path` has printed `text`.
#[track_caller]
fn waits_for(server: &Server, path: &str, key: &str, text: &str) {
    let id = path.rsplit('/').next().expect("an id");
    let stdout = format!("/v1/executions/{id}/output/stdout");
    integration::wait_until(&format!("{path} prints {text:?}"), SOON, || {
        server.get(&stdout, key).text().contains(text)
    });
}

const SOON: std::time::Duration = std::time::Duration::from_secs(20);

/// Fails unless every sandbox is gone, with its state, and every execution's files too.
#[track_caller]
fn assert_nothing_left(bench: &Bench, state: &Path) {
    integration::wait_until("nothing runs any more", SOON, || {
        bench.state_names().is_empty()
    });
    bench.assert_no_orphans();
    integration::wait_until("the executions' files are gone", SOON, || {
        fs::read_dir(state.join("executions"))
            .expect("executions")
            .count()
            == 0
    });
}
