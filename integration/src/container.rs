//! A container of a test's own, made by our runtime or by a peer as the control.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::{Bench, Bundle, Outcome, Tool, cgroup, require_program};

/// A runtime under test or to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// `opt-runtime`.
    Ours,
    /// Debian's runc.
    Runc,
    /// Debian's crun. It refuses a hybrid layout of cgroups, so there it doesn't see version 2.
    Crun,
}

/// Set to `systemd` where it is to make the cgroups: for all runtimes alike.
const CGROUP_MANAGER: &str = "OPT_CGROUP_MANAGER";

/// Whether systemd is to make the cgroups.
pub fn is_by_systemd() -> bool {
    std::env::var_os(CGROUP_MANAGER).is_some_and(|manager| manager == "systemd")
}

impl Runtime {
    /// The peers, which are the controls.
    pub const PEERS: [Self; 2] = [Self::Runc, Self::Crun];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "opt-runtime",
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }

    /// Whether it is on this machine.
    pub fn is_installed(self) -> bool {
        match self {
            Self::Ours => true,
            Self::Runc => Path::new("/usr/sbin/runc").exists(),
            Self::Crun => Path::new("/usr/bin/crun").exists(),
        }
    }

    /// Its state directory on a bench: one directory a container.
    pub fn state(self, bench: &Bench) -> PathBuf {
        match self {
            Self::Ours => bench.root(),
            Self::Runc | Self::Crun => bench.path(&format!("state-of-{self:?}")),
        }
    }

    /// The program, on its state directory.
    pub fn tool(self, bench: &Bench) -> Tool {
        let tool = match self {
            // It has the flag already.
            Self::Ours => return bench.runtime(),
            Self::Runc => {
                require_program("/usr/sbin/runc", "runc");
                Tool::new("/usr/sbin/runc")
            }
            Self::Crun => {
                require_program("/usr/bin/crun", "crun");
                crun()
            }
        };
        let tool = tool.arg("--root").arg(self.state(bench));
        if is_by_systemd() {
            tool.arg("--systemd-cgroup")
        } else {
            tool
        }
    }
}

fn crun() -> Tool {
    if cgroup::layout() != cgroup::Layout::Hybrid {
        return Tool::new("/usr/bin/crun");
    }
    let unified = cgroup::mount_point("").expect("version 2");
    // It makes directories in that place, which are to be in no tmpfs of the host's.
    let script = format!(
        "mount --make-rprivate /sys && umount -l {0} && mount -t tmpfs tmpfs {0} && exec crun \"$@\"",
        unified.display()
    );
    // All other mounts propagate as they do for the others.
    let namespace = ["--mount", "--propagation", "unchanged"];
    let tool = Tool::new("unshare").args(namespace);
    tool.args(["sh", "-c", &script, "crun"])
}

/// A container; deleted when dropped.
#[derive(Debug)]
pub struct Container<'a> {
    bench: &'a Bench,
    runtime: Runtime,
    globals: Vec<String>,
    /// Its id, which no other test has: cgroups are named by it alone.
    pub id: String,
}

impl<'a> Container<'a> {
    /// Creates one from `bundle`. Its own output goes to a file (see [`Self::output`]).
    #[track_caller]
    pub fn created(bench: &'a Bench, runtime: Runtime, bundle: &Bundle) -> Self {
        Self::created_with(bench, runtime, bundle, &[])
    }

    /// Likewise with `globals` before every command.
    #[track_caller]
    pub fn created_with(
        bench: &'a Bench,
        runtime: Runtime,
        bundle: &Bundle,
        globals: &[&str],
    ) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let container = Self {
            bench,
            runtime,
            globals: globals.iter().map(|global| (*global).to_owned()).collect(),
            id: format!("test-{}-{number}", std::process::id()),
        };
        let errors = bench.path(&format!("{}.errors", container.id));
        let mut tool = container.tool().args(["create", "--bundle"]);
        tool = tool.arg(&bundle.directory).arg(&container.id);
        let outcome = tool.run_into(&container.output_path(), &errors);
        assert_eq!(outcome.code, Some(0), "{outcome}");
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

    fn tool(&self) -> Tool {
        self.runtime.tool(self.bench).args(&self.globals)
    }

    /// `RUNTIME NAME ID ARGUMENTS…`.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Tool {
        self.tool().args([name, &self.id]).args(arguments)
    }

    /// `RUNTIME NAME OPTIONS… ID ARGUMENTS…`, the only order that crun takes.
    pub fn command_with(&self, name: &str, options: &[&str], arguments: &[&str]) -> Tool {
        let tool = self.tool().arg(name).args(options);
        tool.arg(&self.id).args(arguments)
    }

    /// `RUNTIME exec OPTIONS… ID WORDS…`.
    pub fn exec_with(&self, options: &[&str], words: &[&str]) -> Tool {
        let tool = self.tool().arg("exec");
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
        let mut delete = self.tool().args(["delete", "--force", &self.id]);
        let _ = delete.command().output();
    }
}
