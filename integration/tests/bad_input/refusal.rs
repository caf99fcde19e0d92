//! What every refusal must be: one line that says what and where, in the form that was asked for, and nothing
//! left behind.

use std::fs;
use std::path::Path;

use integration::{Bench, NOISE, Outcome, Tool, host};
use serde_json::Value;

/// How the caller wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// On standard error only.
    None,
    Text,
    Json,
}

/// A series of commands that must be refused, each in every way of telling it. What is wrong with any is
/// collected, so that a run shows all of it.
#[must_use = "call end"]
pub struct Refusals<'a> {
    bench: &'a Bench,
    before: Vec<String>,
    problems: Vec<String>,
    count: usize,
}

impl<'a> Refusals<'a> {
    pub fn on(bench: &'a Bench) -> Self {
        Self {
            bench,
            before: bench.state_names(),
            problems: vec![],
            count: 0,
        }
    }

    /// Refused with `code`, and a line that holds `says`, in whatever form it is asked for. `command` adds the
    /// command to the options before it.
    pub fn expect(&mut self, name: &str, code: i32, says: &str, command: impl Fn(Tool) -> Tool) {
        self.expect_in(
            &[Log::None, Log::Text, Log::Json],
            name,
            code,
            says,
            command,
        );
    }

    /// Likewise in these forms.
    pub fn expect_in(
        &mut self,
        logs: &[Log],
        name: &str,
        code: i32,
        says: &str,
        command: impl Fn(Tool) -> Tool,
    ) {
        for log in logs.iter().copied() {
            let file = self.bench.path("log");
            let tool = match log {
                Log::None => self.bench.runtime(),
                Log::Text => self.bench.runtime().arg("--log").arg(&file),
                Log::Json => {
                    let tool = self.bench.runtime().arg("--log").arg(&file);
                    tool.args(["--log-format", "json"])
                }
            };
            // Into files: what isn't refused may leave a container behind, which holds them open.
            let (stdout, stderr) = (self.bench.path("stdout"), self.bench.path("stderr"));
            let outcome = command(tool).run_into(&stdout, &stderr);
            if let Err(problem) = is_refusal(&outcome, code, says)
                .and_then(|line| is_logged(log, &file, line))
                .and_then(|()| self.nothing_is_left())
            {
                self.problems.push(format!("{name} ({log:?}): {problem}"));
            }
            let _ = fs::remove_file(&file);
            self.count += 1;
        }
    }

    fn nothing_is_left(&self) -> Result<(), String> {
        let names = self.bench.state_names();
        if names == self.before {
            return Ok(());
        }
        for id in names.iter().filter(|name| !self.before.contains(name)) {
            let mut delete = self.bench.runtime().args(["delete", "--force", id]);
            let _ = delete.command().output();
        }
        Err(format!("state: {names:?}"))
    }

    /// Fails where any was not as it must be, or all of them together left something on the host.
    #[track_caller]
    pub fn end(self) {
        assert!(self.count > 0, "nothing was tried");
        let problems = &self.problems;
        assert!(
            problems.is_empty(),
            "{} of {}: {problems:#?}",
            problems.len(),
            self.count
        );
        self.bench.assert_no_orphans();
        let place = self.bench.path("");
        assert_eq!(host::mounts_below(&place), [""; 0], "mounts are left");
        if self.before.is_empty() {
            let place = place.display().to_string();
            let place = place.trim_end_matches('/');
            let left = host::processes(|shown| shown.contains(place));
            assert_eq!(left, [""; 0], "processes are left");
        }
    }
}

/// The message, without the program's name.
fn is_refusal<'a>(outcome: &'a Outcome, code: i32, says: &str) -> Result<&'a str, String> {
    if outcome.code != Some(code) || !outcome.stdout.is_empty() {
        return Err(format!("not {code} without output: {outcome}"));
    }
    let line = outcome
        .stderr
        .strip_prefix("opt-runtime: error: ")
        .and_then(|text| text.strip_suffix('\n'))
        .filter(|line| !line.is_empty() && !line.contains(char::is_control))
        .ok_or_else(|| format!("not one line: {:?}", outcome.stderr))?;
    if !line.contains(says) {
        return Err(format!("no \"{says}\": {line}"));
    }
    // As long as a path may be, twice, is long enough.
    if line.len() > 9000 || (line.len() > 2000 && says.len() < 200) {
        return Err(format!("a line of {} bytes", line.len()));
    }
    for noise in NOISE {
        if line.contains(noise) {
            return Err(format!("\"{noise}\": {line}"));
        }
    }
    Ok(line)
}

/// The message of the only line of a log of text: `error: MESSAGE`, or in runc's form, `level=error msg="MESSAGE"`.
fn in_text(text: &str) -> Option<String> {
    let line = text.strip_suffix('\n')?;
    if line.contains('\n') {
        return None;
    }
    if let Some(message) = line.strip_prefix("error: ") {
        return Some(message.to_owned());
    }
    let (_, quoted) = line.split_once(" level=error msg=")?;
    serde_json::from_str(quoted).ok()
}

fn is_logged(log: Log, file: &Path, line: &str) -> Result<(), String> {
    let text = match log {
        Log::None => return Ok(()),
        _ => fs::read_to_string(file).map_err(|error| format!("no log: {error}"))?,
    };
    let message = match log {
        Log::Json => {
            let event: Value = serde_json::from_str(&text)
                .map_err(|error| format!("not one object, {error}: {text}"))?;
            let object = event.as_object().ok_or("not an object")?;
            let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
            keys.sort_unstable();
            if keys != ["level", "msg", "time"] || event["level"] != "error" {
                return Err(format!("not what engines read: {text}"));
            }
            event["msg"].as_str().unwrap_or_default().to_owned()
        }
        _ => in_text(&text).ok_or_else(|| format!("not one line of an error: {text}"))?,
    };
    if message == line {
        Ok(())
    } else {
        Err(format!("another message: {text}"))
    }
}
