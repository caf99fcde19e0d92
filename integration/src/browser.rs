//! A headless Chromium, driven through the pipe of its debugging protocol: messages of JSON, each ended by a
//! NUL, on descriptors 3 and 4.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{dup2, pipe2};
use serde_json::{Value, json};

use crate::{Bench, require_program};

const CHROMIUM: &str = "/usr/bin/chromium";

/// A watchdog: it is slow to start where all processors are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page. Ended when dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    to: File,
    messages: Receiver<Value>,
    session: String,
    number: u64,
    /// What the page complained of on its console.
    pub complaints: Vec<String>,
}

impl Browser {
    /// Opens `url`, whatever its certificate.
    pub fn open(bench: &Bench, url: &str) -> Self {
        require_program(CHROMIUM, "chromium");
        let (their_input, to) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let (from, their_output) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let child = spawn(&bench.directory("browser"), their_input, their_output);
        let mut browser = Self {
            child,
            to: to.into(),
            messages: messages(from.into()),
            session: String::new(),
            number: 0,
            complaints: vec![],
        };
        let made = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let target = json!({ "targetId": made["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &target);
        attached["sessionId"]
            .as_str()
            .expect("a session")
            .clone_into(&mut browser.session);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, &json!({}));
        }
        let size =
            json!({ "width": 1200, "height": 1500, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", &size);
        browser.call("Page.navigate", &json!({ "url": url }));
        browser.waits_for("document.readyState === 'complete' && location.protocol === 'https:'");
        browser
    }

    /// The value of a JavaScript expression in the page; promises are waited for. A page that goes at that moment is
    /// asked again when the next one is there.
    #[track_caller]
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let wanted =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let told = loop {
            match self.try_call("Runtime.evaluate", &wanted) {
                Ok(told) => break told,
                Err(error) if is_of_a_page_that_goes(&error) => {
                    thread::sleep(Duration::from_millis(50));
                }
                Err(error) => panic!("{expression}: {error}"),
            }
        };
        assert_eq!(told.get("exceptionDetails"), None, "{expression}");
        told["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn waits_for(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.evaluate(expression) != Value::Bool(true) {
            assert!(
                Instant::now() < deadline,
                "never true: {expression}; the page:\n{}",
                self.evaluate("document.body.innerText")
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks what a selector selects, where it is seen and can be clicked.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let selector = Value::from(selector);
        let clicked = self.evaluate(&format!(
            "(() => {{ const it = document.querySelector({selector}); \
              if (!it || it.disabled || !it.checkVisibility()) return false; it.click(); return true; }})()"
        ));
        assert_eq!(clicked, Value::Bool(true), "nothing to click at {selector}");
    }

    /// The text that is seen.
    pub fn text(&mut self) -> String {
        let text = self.evaluate("document.body.innerText");
        text.as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: &Value) -> Value {
        let answer = self.try_call(method, params);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_call(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to
            .write_all(format!("{message}\0").as_bytes())
            .expect("write to the browser");
        loop {
            let told = self
                .messages
                .recv_timeout(PATIENCE)
                .expect("the browser's answer");
            if told["id"] == self.number {
                return match told.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(told["result"].clone()),
                };
            }
            self.note(&told);
        }
    }

    /// Keeps errors of the page: an exception, or something that its policy forbids.
    fn note(&mut self, event: &Value) {
        let entry = &event["params"]["entry"];
        let is_error = entry["level"] == "error" && entry["source"] != "network";
        if event["method"] == "Runtime.exceptionThrown" || is_error {
            self.complaints.push(event["params"].to_string());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its other processes end with it, and are asked to first.
        let _ = self
            .to
            .write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        for _ in 0..100 {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_of_a_page_that_goes(error: &Value) -> bool {
    let message = error["message"].as_str().unwrap_or_default();
    ["context", "navigated"]
        .iter()
        .any(|word| message.contains(word))
}

fn spawn(profile: &Path, input: OwnedFd, output: OwnedFd) -> Child {
    let mut command = Command::new(CHROMIUM);
    command
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args([
            "--disable-sync",
            "--disable-extensions",
            "--ignore-certificate-errors",
        ])
        .args(["--force-prefers-reduced-motion", "--remote-debugging-pipe"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .env("HOME", profile)
        .env("TMPDIR", profile)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let (input_number, output_number) = (input.as_raw_fd(), output.as_raw_fd());
    // SAFETY: only fcntl and dup2 are called between fork and exec, on descriptors that are open until after
    // the spawn.
    unsafe {
        command.pre_exec(move || {
            // Out of the way of each other first.
            let input = fcntl(input_number, FcntlArg::F_DUPFD_CLOEXEC(10))?;
            let output = fcntl(output_number, FcntlArg::F_DUPFD_CLOEXEC(10))?;
            dup2(input, 3)?;
            dup2(output, 4)?;
            Ok(())
        });
    }
    let child = command.spawn().expect("start chromium");
    drop((input, output));
    child
}

/// The messages of a pipe, as they come.
fn messages(from: File) -> Receiver<Value> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for message in BufReader::new(from).split(0).map_while(Result::ok) {
            let Ok(message) = serde_json::from_slice(&message) else {
                return;
            };
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    receiver
}
