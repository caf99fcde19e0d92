//! Sandboxes that are ready before anybody asks: as good as those that are made for one execution, and never used
//! for a second one.

mod deaths;
mod filling;
mod inside;
mod limits;

use std::fs;

use integration::{Bench, Server, host, wait_until};
use serde_json::{Value, json};

use crate::{SOON, run, shell};

const BUSYBOX: &str = "/usr/bin/busybox";

/// A command with as many ready sandboxes.
fn pooled(name: &str, pool: u32) -> Value {
    json!({ "name": name, "executable": BUSYBOX, "x-opt-runtime": { "pool": pool } })
}

/// A function of busybox's shell as the command `command`.
fn script(command: &str, script: &str) -> Value {
    let mut function = shell(script);
    function["command"] = json!(command);
    function
}

/// A server with these commands, and keys for its functions and its metrics.
struct Pooled {
    server: Server,
    key: String,
    reader: String,
}

impl Pooled {
    fn start(bench: &Bench, commands: &Value, functions: &[(&str, Value)]) -> Self {
        Self::with(bench, commands, functions, &json!({ "max-running": 2 }))
    }

    fn with(
        bench: &Bench,
        commands: &Value,
        functions: &[(&str, Value)],
        settings: &Value,
    ) -> Self {
        let state = bench.path("server");
        let server = Server::start_for(bench, &state, commands, functions, settings, &[]);
        let key = server.add_key(&["tester"]);
        let reader = server.add_key(&["prometheus", "--metrics"]);
        Self {
            server,
            key,
            reader,
        }
    }

    /// What the metric `name` says.
    fn metric(&self, name: &str) -> u64 {
        let text = self.server.get("/metrics", &self.reader).text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("opt_server_{name} ")));
        line.unwrap_or_else(|| panic!("no {name}:\n{text}"))
            .parse()
            .expect("a number")
    }

    /// Waits until as many sandboxes are ready.
    #[track_caller]
    fn waits_until_ready(&self, count: u64) {
        wait_until("the pool is full", SOON, || {
            self.metric("pool_ready") == count
        });
    }

    /// Runs a function to its end: its log, and the last answer.
    #[track_caller]
    fn run(&self, function: &str) -> (String, Value) {
        let (path, ended) = run(&self.server, function, &self.key, None);
        let log = self.server.get(&path, &self.key).ok()["log"].clone();
        (log.as_str().expect("a log").to_owned(), ended)
    }

    /// Likewise in a sandbox that is ready.
    #[track_caller]
    fn run_from_pool(&self, function: &str) -> (String, Value) {
        self.waits_until_ready(1);
        let (log, ended) = self.run(function);
        assert_eq!(ended["report"]["from_pool"], true, "{ended}\n{log}");
        (log, ended)
    }

    /// The guardian and the worker of the one sandbox that is ready.
    fn stand_by(&self) -> (i32, i32) {
        let pids = self.server.ready();
        let is_first = |pid: &&i32| !pids.iter().any(|other| is_parent(*other, **pid));
        let guardian = *pids.iter().find(is_first).expect("a guardian");
        (guardian, host::child_of(guardian))
    }

    fn begin(&self, function: &str) -> String {
        let path = self.server.create(function, &self.key);
        let started = format!("{path}/start");
        self.server.post(&started, &self.key, b"").ok();
        path
    }
}

fn is_parent(pid: i32, child: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
    status.lines().any(|line| line == format!("PPid:\t{pid}"))
}
