//! `opt-server --start` as a test runs it: on a port of its own, with the bench's state.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::https::{Answer, Client};
use crate::{Bench, Tool, binaries, require_program, wait_until};

/// A watchdog: starting takes milliseconds.
const SOON: Duration = Duration::from_secs(20);

/// The program behind every command of these tests: it can do all that a test needs.
const BUSYBOX: &str = "/usr/bin/busybox";

/// A process, ended when dropped.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server. Ended when dropped, with what it runs.
#[derive(Debug)]
pub struct Server {
    process: Process,
    client: Client,
    config: PathBuf,
    state: PathBuf,
    root: PathBuf,
    log: PathBuf,
    starts: usize,
    arguments: Vec<String>,
}

impl Server {
    /// Starts one whose functions are `functions`, by name, and whose `server.json` is `settings`. Its one
    /// command is `busybox`.
    pub fn start(bench: &Bench, functions: &[(&str, Value)], settings: &Value) -> Self {
        Self::start_in(bench, &bench.path("server"), functions, settings)
    }

    /// Likewise with its state in `state`.
    pub fn start_in(
        bench: &Bench,
        state: &Path,
        functions: &[(&str, Value)],
        settings: &Value,
    ) -> Self {
        Self::start_with(bench, state, functions, settings, &[])
    }

    /// Likewise with more arguments.
    pub fn start_with(
        bench: &Bench,
        state: &Path,
        functions: &[(&str, Value)],
        settings: &Value,
        arguments: &[&str],
    ) -> Self {
        let commands = json!([{ "name": "busybox", "executable": BUSYBOX }]);
        Self::start_for(bench, state, &commands, functions, settings, arguments)
    }

    /// Likewise with other commands than the one.
    pub fn start_for(
        bench: &Bench,
        state: &Path,
        commands: &Value,
        functions: &[(&str, Value)],
        settings: &Value,
        arguments: &[&str],
    ) -> Self {
        require_program(BUSYBOX, "busybox-static");
        let site = bench.directory("site");
        let config = site.join("config.json");
        write(
            &config,
            &json!({ "server-name": "A test's server", "commands": commands }),
        );
        write(&site.join("server.json"), settings);
        let directory = bench.directory("site/functions");
        for (name, function) in functions {
            write(&directory.join(format!("{name}.json")), function);
        }
        let log = bench.path("server.log");
        let (process, client) = spawn(&config, state, &bench.root(), &log, 0, arguments);
        Self {
            process,
            client,
            config,
            state: state.to_owned(),
            root: bench.root(),
            log,
            starts: 1,
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
        }
    }

    /// The directory of `config.json`.
    pub fn site(&self) -> &Path {
        self.config.parent().expect("a directory")
    }

    /// Has it serve with this `x-opt-runtime` at the top of `config.json`, and returns when it does.
    #[track_caller]
    pub fn reload_with(&self, commands: &Value, extensions: &Value) {
        let again = "configuration read again";
        let before = self.log().matches(again).count();
        write(
            &self.config,
            &json!({ "commands": commands, "x-opt-runtime": extensions }),
        );
        self.signal(Signal::SIGHUP);
        wait_until("it has the new configuration", SOON, || {
            self.log().matches(again).count() > before
        });
    }

    /// Its state directory.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// A client of it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.client.address().to_owned()
    }

    /// Its pid.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.process.0.id().cast_signed())
    }

    /// What it logged, all starts together.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `opt-server keys` on its state.
    pub fn keys(&self, arguments: &[&str]) -> Tool {
        Tool::new(binaries::opt_server())
            .args(["keys", "--state"])
            .arg(&self.state)
            .args(arguments)
    }

    /// A new key's secret.
    pub fn add_key(&self, arguments: &[&str]) -> String {
        let outcome = self.keys(&[&["add"], arguments].concat()).expect(0);
        outcome.stdout.trim().to_owned()
    }

    /// Asks with `key`, and fails the test where there is no answer.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, key: &str, body: &[u8]) -> Answer {
        let key = format!("Bearer {key}");
        self.client
            .try_ask(method, path, &[("authorization", &key)], body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log()))
    }

    /// `GET`.
    #[track_caller]
    pub fn get(&self, path: &str, key: &str) -> Answer {
        self.ask("GET", path, key, b"")
    }

    /// `POST`.
    #[track_caller]
    pub fn post(&self, path: &str, key: &str, body: &[u8]) -> Answer {
        self.ask("POST", path, key, body)
    }

    /// Creates an execution of a function: its path.
    #[track_caller]
    pub fn create(&self, function: &str, key: &str) -> String {
        let path = format!("/local/{function}/executions");
        let created = self.post(&path, key, b"").ok();
        format!("{path}/{}", created["id"].as_str().expect("an id"))
    }

    /// The project of the execution whose path, or id, this is.
    pub fn project(&self, path: &str) -> PathBuf {
        let id = path.rsplit('/').next().expect("an id");
        self.state.join("executions").join(id).join("project")
    }

    /// Makes the file `go` in the project of the execution at `path`: what a test's script waits for.
    #[track_caller]
    pub fn go(&self, path: &str) {
        fs::write(self.project(path).join("go"), "").expect("write into the project");
    }

    /// Polls the execution at `path` until it has ended, and gives the last answer.
    #[track_caller]
    pub fn wait_for_end(&self, path: &str, key: &str) -> Value {
        let mut last = Value::Null;
        let quiet = format!("{path}?include_log=false");
        wait_until(&format!("{path} ends"), Duration::from_secs(60), || {
            last = self.get(&quiet, key).ok();
            last["status"] == "ended"
        });
        last
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("signal the server");
    }

    /// Kills it as nobody can see it coming.
    pub fn kill(&mut self) {
        self.process.0.kill().expect("kill the server");
        self.process.0.wait().expect("wait for the server");
    }

    /// Waits until it has ended by itself: its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let mut code = None;
        wait_until("the server ends", SOON, || {
            let ended = self.process.0.try_wait().expect("wait");
            code = ended.map(|status| status.code());
            code.is_some()
        });
        code.flatten()
    }

    /// Starts it again on the same state, with a port of its own again.
    pub fn start_again(&mut self) {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let started = spawn(
            &self.config,
            &self.state,
            &self.root,
            &self.log,
            self.starts,
            &arguments,
        );
        (self.process, self.client) = started;
        self.starts += 1;
    }

    /// Waits until its log has a line with `text`.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        wait_until(&format!("the log says {text:?}"), SOON, || {
            self.log().contains(text)
        });
    }

    /// The processes that run executions of it.
    pub fn runs(&self) -> Vec<i32> {
        self.processes(" run ")
    }

    /// The processes of sandboxes that it keeps ready, and of executions in what was one.
    pub fn ready(&self) -> Vec<i32> {
        self.processes(" ready ")
    }

    fn processes(&self, what: &str) -> Vec<i32> {
        let state = self.state.display().to_string();
        let found = crate::host::processes(|shown| shown.contains(what) && shown.contains(&state));
        let pid = |line: &String| line.split(' ').next()?.parse().ok();
        found.iter().filter_map(pid).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        // Its executions outlive it, as they should; but not the test. A run that is ended so cleans up.
        let left = || [self.runs(), self.ready()].concat();
        for pid in left() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        for _ in 0..100 {
            if left().is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for pid in left() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        if std::thread::panicking() {
            eprintln!("-- the server's log\n{}", self.log());
        }
    }
}

fn write(path: &Path, value: &Value) {
    fs::write(path, format!("{value:#}\n")).expect("write a file");
}

fn spawn(
    config: &Path,
    state: &Path,
    root: &Path,
    log: &Path,
    starts: usize,
    arguments: &[&str],
) -> (Process, Client) {
    let file = File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("the log");
    let child = Command::new(binaries::opt_server())
        .args(["--start", "--listen", "127.0.0.1:0", "--config"])
        .arg(config)
        .arg("--state")
        .arg(state)
        .arg("--root")
        .arg(root)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .expect("start the server");
    let mut process = Process(child);
    let mut address = None;
    wait_until("the server listens", SOON, || {
        address = listening(log).into_iter().nth(starts);
        if address.is_none() && process.0.try_wait().expect("wait").is_some() {
            panic!(
                "the server ended:\n{}",
                fs::read_to_string(log).unwrap_or_default()
            );
        }
        address.is_some()
    });
    let client = Client::new(
        &address.expect("an address"),
        &state.join("certificate.pem"),
    );
    (process, client)
}

/// The addresses that its starts told, in order.
fn listening(log: &Path) -> Vec<String> {
    let Ok(file) = File::open(log) else {
        return vec![];
    };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    lines
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .filter(|line| line["message"] == "listening")
        .filter_map(|line| {
            let told = line["addresses"].as_str()?.to_owned();
            Some(told.trim_matches(['[', ']', '"']).to_owned())
        })
        .collect()
}
