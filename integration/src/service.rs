//! A unit of the project's under systemd, with names of one test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::Tool;

/// A unit starts in a second; in an emulated machine in a minute.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A unit of systemd's.
#[derive(Debug)]
pub struct Service {
    /// The unit's name, without `.service`.
    pub name: String,
    /// The file that it logs to.
    pub log: PathBuf,
}

impl Service {
    /// The text of `file`, a unit of the project's `dist/`, with each of `changes` made: what stands there once is replaced.
    pub fn text(file: &str, changes: impl IntoIterator<Item = (&'static str, String)>) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../dist")
            .join(file);
        let mut text = fs::read_to_string(file).expect("the unit");
        for (theirs, ours) in changes {
            assert_eq!(text.matches(theirs).count(), 1, "{theirs} in {text}");
            text = text.replace(theirs, &ours);
        }
        text
    }

    /// Has systemd know it.
    pub fn install(&self, text: &str) {
        fs::write(self.file(), text).expect("install the unit");
        self.systemctl(&["daemon-reload"]);
    }

    fn file(&self) -> PathBuf {
        Path::new("/run/systemd/system").join(format!("{}.service", self.name))
    }

    /// Where it keeps what has to last.
    pub fn state(&self) -> PathBuf {
        Path::new("/var/lib").join(&self.name)
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What systemctl prints, which has to succeed.
    #[track_caller]
    pub fn systemctl(&self, arguments: &[&str]) -> String {
        let outcome = Tool::new("systemctl").args(arguments).limit(PATIENCE).run();
        assert_eq!(outcome.code, Some(0), "{outcome}\n{}", self.logged());
        outcome.stdout.trim().to_owned()
    }

    /// One of systemd's properties of it.
    #[track_caller]
    pub fn property(&self, name: &str) -> String {
        self.systemctl(&["show", "--value", "--property", name, &self.name])
    }

    /// Its main process.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        self.property("MainPID").parse().expect("a pid")
    }

    /// Starts it; systemd waits until it says that it is ready.
    #[track_caller]
    pub fn start(&self) {
        self.systemctl(&["start", &self.name]);
        assert_eq!(self.property("ActiveState"), "active");
    }

    /// Where its log said last that it listens.
    #[track_caller]
    pub fn address(&self) -> String {
        let log = self.logged();
        let mut lines = log.lines().filter(|line| line.contains("\"listening\""));
        let line = lines.next_back().expect("where it listens");
        let told: Value = serde_json::from_str(line).expect("JSON");
        let address = told["addresses"].as_str().expect("addresses");
        address.trim_matches(['[', ']', '"']).to_owned()
    }

    /// What there is to know of it where a test fails.
    pub fn show_where_a_test_fails(&self) {
        if std::thread::panicking() {
            let status = self.try_systemctl(&["status", "--no-pager", "--full"]);
            eprintln!("{status}\n-- its log\n{}", self.logged());
        }
    }

    /// Takes it from systemd, stopped or not.
    pub fn uninstall(&self) {
        let _ = fs::remove_file(self.file());
        let _ = Tool::new("systemctl")
            .arg("daemon-reload")
            .limit(PATIENCE)
            .run();
        self.try_systemctl(&["reset-failed"]);
    }

    /// Something of this unit, whether it can be or not.
    pub fn try_systemctl(&self, arguments: &[&str]) -> crate::Outcome {
        let tool = Tool::new("systemctl").args(arguments).arg(&self.name);
        tool.limit(PATIENCE).run()
    }
}

/// A field of `/proc/PID/status`.
#[track_caller]
pub fn status(pid: i32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let value = line.expect("the field").trim_matches([':', '\t']);
    value.to_owned()
}
