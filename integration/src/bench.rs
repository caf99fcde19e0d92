//! A test's own place: a state directory and scratch space that vanish with it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Bundle, Outcome, Tool, binaries, host, is_by_systemd, program};

/// The beginning of the names of all our directories, by which leftovers are found.
pub(crate) const PREFIX: &str = "opt-integration-";

/// Not below /tmp, which is another one inside sandboxes; /tmp gets tests of its own.
const PLACE: &str = "/var/tmp";

/// What no message for people has in it.
pub const NOISE: [&str; 6] = [
    "panicked",
    "backtrace",
    "Error(",
    "Some(",
    "Os {",
    "os error 2)...",
];

/// A test's own place.
#[derive(Debug)]
pub struct Bench {
    directory: TempDir,
    before: Vec<PathBuf>,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench {
    /// A fresh one in /var/tmp.
    pub fn new() -> Self {
        Self::below(Path::new(PLACE))
    }

    /// A fresh one below `place`.
    pub fn below(place: &Path) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests make containers: run them as root"
        );
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in(place)
            .expect("a directory for the test");
        Self {
            directory,
            before: host::orphaned_cgroups(),
        }
    }

    /// A path in the scratch space; nothing is made.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A new directory in the scratch space, mode 0755.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).expect("make a directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
        path
    }

    /// A new file in the scratch space.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("write a file");
        path
    }

    /// The state directory; made by the runtime when it is needed.
    pub fn root(&self) -> PathBuf {
        self.path("state")
    }

    /// `opt-runtime` on this bench's state directory.
    pub fn runtime(&self) -> Tool {
        let tool = Tool::new(binaries::opt_runtime())
            .arg("--root")
            .arg(self.root())
            .current_dir(self.directory.path());
        if is_by_systemd() {
            return tool.arg("--systemd-cgroup");
        }
        tool
    }

    /// A copy of `opt-runtime` that every user may run: the build may be where only root can go.
    pub fn everybodys_runtime(&self) -> PathBuf {
        let runtime = self.path("opt-runtime");
        program::copy([binaries::opt_runtime()], &runtime);
        runtime
    }

    /// `opt-server run` with a configuration of these commands, in `project`.
    pub fn serve(&self, project: &Path, commands: &Value) -> Tool {
        let config = self.config(commands);
        self.serve_with(project, &config)
    }

    /// `opt-server run` with this configuration file, in `project`.
    pub fn serve_with(&self, project: &Path, config: &Path) -> Tool {
        Tool::new(binaries::opt_server())
            .args(["run", "--root"])
            .arg(self.root())
            .arg("--config")
            .arg(config)
            .current_dir(project)
    }

    /// Writes an Opt-Server's configuration with these commands.
    pub fn config(&self, commands: &Value) -> PathBuf {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let text = json!({ "commands": commands }).to_string();
        self.file(&format!("opt-server-{number}.json"), text)
    }

    /// A sealed bundle of one Opt-Server command line, made by `opt-runtime bundle`.
    pub fn sealed(&self, name: &str, command: &Value, arguments: &[&str]) -> Bundle {
        let project = self.directory(&format!("{name}-project"));
        self.sealed_for(name, command, arguments, &project, next_slot())
    }

    /// Likewise for a project and an identity's slot.
    pub fn sealed_for(
        &self,
        name: &str,
        command: &Value,
        arguments: &[&str],
        project: &Path,
        slot: u32,
    ) -> Bundle {
        let config = self.config(&json!([command]));
        let directory = self.path(name);
        self.runtime()
            .args(["bundle", "opt-server", "--output"])
            .arg(&directory)
            .arg("--config")
            .arg(config)
            .arg("--project")
            .arg(project)
            .args(["--slot", &slot.to_string()])
            .arg(command["name"].as_str().expect("a name"))
            .args(arguments)
            .expect(0);
        Bundle::at(directory, project)
    }

    /// The ids and other names in the state directory.
    pub fn state_names(&self) -> Vec<String> {
        host::names_in(&self.root())
    }

    /// Fails unless `outcome` is a refusal: code 125, one line that holds `text`, and nothing left.
    #[track_caller]
    pub fn assert_refused(&self, outcome: &Outcome, text: &str) {
        assert_eq!(outcome.code, Some(125), "{outcome}");
        assert_eq!(outcome.stdout, "", "{outcome}");
        let line = outcome.one_line();
        assert!(line.contains(text), "no \"{text}\": {line}");
        assert!(line.len() < 2000, "a line of {} bytes", line.len());
        for noise in NOISE {
            assert!(!line.contains(noise), "{line}");
        }
        self.assert_nothing_left_by(outcome);
    }

    /// Fails where `outcome`'s run left state or a cgroup.
    #[track_caller]
    pub fn assert_nothing_left_by(&self, outcome: &Outcome) {
        assert_eq!(self.state_names(), [""; 0], "state is left: {outcome}");
        self.assert_no_orphans();
    }

    /// Fails where a run of any test is gone and its cgroup isn't: soon, for another test may have killed
    /// a run that is being cleaned up just now.
    #[track_caller]
    pub fn assert_no_orphans(&self) {
        let orphans = || -> Vec<PathBuf> {
            let found = host::orphaned_cgroups();
            found
                .into_iter()
                .filter(|path| !self.before.contains(path))
                .collect()
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut left = orphans();
        while !left.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
            left = orphans();
        }
        // Not looked at once more: another test's may have come since.
        assert_eq!(left, [""; 0].map(PathBuf::from), "cgroups are left");
    }

    /// Fails where the container `id` has left state or a cgroup.
    #[track_caller]
    pub fn assert_gone(&self, id: &str) {
        assert_eq!(self.state_names(), [""; 0], "state is left");
        let cgroups = host::cgroups_of(id);
        assert!(cgroups.is_empty(), "left: {cgroups:?}");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Only what a failed test left; deleting is the runtime's work, and its failure another test's.
        for id in self.state_names() {
            let mut delete = self.runtime().args(["delete", "--force", &id]);
            let _ = delete.command().output();
        }
        // What was just ended may still be writing there: a directory that it makes meanwhile would stay.
        for _ in 0..50 {
            match fs::remove_dir_all(self.directory.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                _ => return,
            }
        }
    }
}

/// An identity's slot that no other test has; beyond what pids reach on this host.
fn next_slot() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    3_000_000 + (std::process::id() * 64 + number) % 1_000_000
}
