//! A container of a test's own, made by our runtime or by a peer as the control.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::{Bench, Bundle, Outcome, Tool, require_program};

/// A runtime under test or to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// `opt-runtime`.
    Ours,
    /// Debian's runc.
    Runc,
}

impl Runtime {
    /// The program, on a state directory of the bench's.
    pub fn tool(self, bench: &Bench) -> Tool {
        match self {
            Self::Ours => bench.runtime(),
            Self::Runc => {
                require_program("/usr/sbin/runc", "runc");
                Tool::new("/usr/sbin/runc")
                    .arg("--root")
                    .arg(bench.path("state-of-runc"))
            }
        }
    }
}

/// A container; deleted when dropped.
#[derive(Debug)]
pub struct Container<'a> {
    bench: &'a Bench,
    runtime: Runtime,
    /// Its id, which no other test has: cgroups are named by it alone.
    pub id: String,
}

impl<'a> Container<'a> {
    /// Creates one from `bundle`. Its own output goes to a file (see [`Self::output`]).
    #[track_caller]
    pub fn created(bench: &'a Bench, runtime: Runtime, bundle: &Bundle) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let container = Self {
            bench,
            runtime,
            id: format!("test-{}-{number}", std::process::id()),
        };
        let errors = bench.path(&format!("{}.errors", container.id));
        let file = |path: &PathBuf| File::create(path).expect("make a file");
        let mut tool = runtime.tool(bench).args(["create", "--bundle"]);
        tool = tool.arg(&bundle.directory).arg(&container.id);
        let status = tool
            .command()
            .stdin(Stdio::null())
            .stdout(file(&container.output_path()))
            .stderr(file(&errors))
            .status()
            .expect("run create");
        let said = fs::read_to_string(errors).unwrap_or_default();
        assert!(status.success(), "{runtime:?} create: {said}");
        container
    }

    /// Creates and starts one.
    #[track_caller]
    pub fn started(bench: &'a Bench, runtime: Runtime, bundle: &Bundle) -> Self {
        let container = Self::created(bench, runtime, bundle);
        container.start();
        container
    }

    /// Starts it.
    #[track_caller]
    pub fn start(&self) {
        self.command("start", &[]).expect(0);
    }

    /// `RUNTIME NAME ID ARGUMENTS…`.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Tool {
        let tool = self.runtime.tool(self.bench);
        tool.args([name, &self.id]).args(arguments)
    }

    /// `RUNTIME exec OPTIONS… ID WORDS…`.
    pub fn exec_with(&self, options: &[&str], words: &[&str]) -> Tool {
        let tool = self.runtime.tool(self.bench).arg("exec");
        tool.args(options).arg(&self.id).args(words)
    }

    /// `RUNTIME exec ID WORDS…`.
    pub fn exec(&self, words: &[&str]) -> Tool {
        self.exec_with(&[], words)
    }

    /// `RUNTIME exec ID sh -c SCRIPT`, to its end.
    pub fn shell(&self, script: &str) -> Outcome {
        self.exec(&["sh", "-c", script]).run()
    }

    /// Its state.
    #[track_caller]
    pub fn state(&self) -> Value {
        let outcome = self.command("state", &[]).expect(0);
        serde_json::from_str(&outcome.stdout).expect("JSON")
    }

    /// The pid of its first process on the host.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        let pid = self.state()["pid"].as_i64().expect("a pid");
        i32::try_from(pid).expect("a pid")
    }

    /// What its first process printed so far.
    pub fn output(&self) -> String {
        fs::read_to_string(self.output_path()).unwrap_or_default()
    }

    fn output_path(&self) -> PathBuf {
        self.bench.path(&format!("{}.output", self.id))
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let mut delete = self.runtime.tool(self.bench);
        delete = delete.args(["delete", "--force", &self.id]);
        let _ = delete.command().output();
    }
}
