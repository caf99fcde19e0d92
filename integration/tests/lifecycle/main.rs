//! create, start, state, kill and delete in their OCI form, on plain and on sealed bundles.

mod at_once;
mod ids;
mod run;
mod statuses;

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use integration::{Bench, Bundle, Outcome, Tool, plain};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);

fn state(bench: &Bench, id: &str) -> Value {
    let outcome = bench.runtime().args(["state", id]).expect(0);
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

/// An id that no other test has: state directories differ, but cgroups are named by id alone.
fn own_id(name: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{number}", std::process::id())
}

fn status(bench: &Bench, id: &str) -> String {
    state(bench, id)["status"]
        .as_str()
        .expect("a status")
        .to_owned()
}

/// `create`, with the container's own output going to a file: it outlives the command.
fn create(bench: &Bench, bundle: &Bundle, id: &str) -> Outcome {
    created_by(bench, bundle.create(bench, id))
}

fn created_by(bench: &Bench, tool: Tool) -> Outcome {
    let line = "out=$1; shift; exec \"$@\" > \"$out\" < /dev/null";
    let mut tool = tool;
    let command = tool.command();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let program = command.get_program().to_owned();
    let errors = bench.path("errors");
    let script = format!("{line} 2> {}; ", errors.display());
    let mut outcome = Tool::new("sh")
        .args(["-c", &script, "sh"])
        .arg(bench.path("output"))
        .arg(program)
        .args(arguments)
        .run();
    outcome.stderr = fs::read_to_string(errors).unwrap_or_default();
    outcome
}

#[track_caller]
fn assert_created(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(0), "{outcome}");
}

fn output(bench: &Bench) -> String {
    fs::read_to_string(bench.path("output")).unwrap_or_default()
}

/// Plain and sealed bundles that print "ran" and then wait.
fn bundles(bench: &Bench) -> [Bundle; 2] {
    let script = "echo ran; while :; do sleep 1; done";
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    [
        plain::bundle(bench, "plain", &["sh", "-c", script]),
        bench.sealed("sealed", &command, &["sh", "-c", script]),
    ]
}
