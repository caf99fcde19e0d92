//! Where a case is tried: one runtime, one bundle, one container.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use integration::{Bench, Bundle, Outcome, Runtime, Tool, host, plain, program};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::Check;

/// How long a status may take to come.
const SOON: Duration = Duration::from_secs(10);

/// One runtime with a bundle and an id for a container.
pub struct Stage {
    /// The runtime.
    pub runtime: Runtime,
    /// Its place; the state directories are here as well.
    pub bench: Bench,
    /// The bundle: [`plain::spec`] with a shell that ends at once.
    pub bundle: Bundle,
    /// The container's id, which no other has.
    pub id: String,
    others: RefCell<Vec<String>>,
    first_process: Cell<Option<i32>>,
    host_mounts: RefCell<Vec<PathBuf>>,
}

impl Stage {
    /// A fresh one, whose root file system is a copy of `template`.
    pub fn new(runtime: Runtime, template: &Path) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        set_child_subreaper(true).expect("become a subreaper");
        let bench = Bench::new();
        let directory = bench.directory("bundle");
        link_tree(template, &directory.join("rootfs"));
        let bundle = Bundle::at(directory.clone(), &directory);
        bundle.set_spec(&plain::spec(&["sh", "-c", ":"]));
        Self {
            runtime,
            bench,
            bundle,
            id: format!("conformance-{}-{number}", std::process::id()),
            others: RefCell::default(),
            first_process: Cell::default(),
            host_mounts: RefCell::default(),
        }
    }

    /// Changes the bundle's `config.json`.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        self.bundle.edit(change);
    }

    /// Writes an executable file into the root file system.
    pub fn write_inside(&self, path: &str, content: &str) {
        program::write(&self.inside(path), content);
    }

    /// Adds a mount to the bundle.
    pub fn add_mount(&self, destination: &str, kind: &str, source: &str, options: &[&str]) {
        self.edit(|spec| {
            let mounts = spec["mounts"].as_array_mut().expect("mounts");
            mounts.push(json!({
                "destination": destination, "type": kind, "source": source, "options": options,
            }));
        });
    }

    /// A directory on the host to be bound into the container; it has a `file` that says "from the host".
    pub fn source(&self) -> PathBuf {
        let directory = self.bench.directory("source");
        fs::write(directory.join("file"), "from the host\n").expect("write a file");
        directory
    }

    /// A directory in the bundle beside the root file system, with a `file` that says its name.
    pub fn bundle_directory(&self, name: &str) {
        let directory = self.bundle.directory.join(name);
        fs::create_dir(&directory).expect("make a directory");
        fs::write(directory.join("file"), format!("{name}\n")).expect("write a file");
    }

    /// Mounts a tmpfs on the host with a `file` that says "from a mount below", on a new directory of the
    /// stage's. It is taken away with the stage.
    pub fn mount_on_host(&self, path: &Path, options: &str) {
        fs::create_dir_all(path).expect("make a directory");
        let mount = Tool::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]);
        mount.arg(path).expect(0);
        self.host_mounts.borrow_mut().push(path.to_owned());
        fs::write(path.join("file"), "from a mount below\n").expect("write a file");
    }

    /// A path in the container's root file system, seen from the host.
    pub fn inside(&self, path: &str) -> PathBuf {
        self.bundle.rootfs().join(path.trim_start_matches('/'))
    }

    /// The runtime's program on this stage's state directory.
    pub fn tool(&self) -> Tool {
        self.runtime.tool(&self.bench)
    }

    /// A further id, whose container is deleted with the stage's.
    pub fn another_id(&self) -> String {
        let id = format!("{}-{}", self.id, self.others.borrow().len());
        self.others.borrow_mut().push(id.clone());
        id
    }

    /// `RUNTIME run --bundle BUNDLE ID`, to its end.
    pub fn run(&self) -> Outcome {
        let tool = self.tool().args(["run", "--bundle"]);
        tool.arg(&self.bundle.directory).arg(&self.id).run()
    }

    /// `RUNTIME create OPTIONS… --bundle BUNDLE ID`. The outcome has the runtime's standard error; the
    /// container writes to the same files, see [`Self::output`].
    pub fn create_with(&self, id: &str, options: &[&str]) -> Outcome {
        let tool = self.tool().arg("create").args(options).arg("--bundle");
        let file = |end: &str| self.bench.path(&format!("{id}.{end}"));
        tool.arg(&self.bundle.directory)
            .arg(id)
            .run_into(&file("output"), &file("errors"))
    }

    /// Creates the stage's container, which must succeed.
    pub fn create(&self) -> Check {
        succeeded(&self.create_with(&self.id, &[]))
    }

    /// Starts it, which must succeed.
    pub fn start(&self) -> Check {
        succeeded(&self.command("start", &[]))
    }

    /// `RUNTIME exec OPTIONS… ID WORDS…`, to its end.
    pub fn exec(&self, options: &[&str], words: &[&str]) -> Outcome {
        let tool = self.tool().arg("exec").args(options);
        tool.arg(&self.id).args(words).run()
    }

    /// Likewise, of a process as an engine writes it down: what it prints, if it succeeds.
    pub fn exec_process(&self, process: &Value) -> Result<String, String> {
        let file = self.bench.path("process.json");
        fs::write(&file, process.to_string()).expect("write");
        let outcome = self.exec(&["--process", &file.display().to_string()], &[]);
        Ok(outcome.printed()?.trim().to_owned())
    }

    /// Likewise, of a command that may outlive it.
    pub fn exec_into(&self, options: &[&str], words: &[&str]) -> Outcome {
        let tool = self.tool().arg("exec").args(options);
        let file = |end: &str| self.bench.path(&format!("{}.exec-{end}", self.id));
        let tool = tool.arg(&self.id).args(words);
        tool.run_into(&file("output"), &file("errors"))
    }

    /// `RUNTIME NAME OPTIONS… ID ARGUMENTS…`: options are what begins with a dash.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Outcome {
        let (options, rest): (Vec<&str>, Vec<&str>) =
            arguments.iter().partition(|word| word.starts_with('-'));
        let tool = self.tool().arg(name).args(options);
        tool.arg(&self.id).args(rest).run()
    }

    /// Likewise, which must succeed.
    pub fn must(&self, name: &str, arguments: &[&str]) -> Check {
        succeeded(&self.command(name, arguments))
    }

    /// Likewise, which must fail.
    pub fn must_not(&self, name: &str, arguments: &[&str]) -> Check {
        let outcome = self.command(name, arguments);
        match outcome.code {
            Some(0) => Err(format!("it must fail: {outcome}")),
            _ => Ok(()),
        }
    }

    /// The container's state.
    pub fn state(&self) -> Result<Value, String> {
        let outcome = self.command("state", &[]);
        succeeded(&outcome)?;
        let state: Value =
            serde_json::from_str(&outcome.stdout).map_err(|error| format!("{error}: {outcome}"))?;
        let pid = state["pid"]
            .as_i64()
            .and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid @ 1..) = pid {
            self.first_process.set(Some(pid));
        }
        Ok(state)
    }

    /// Its status.
    pub fn status(&self) -> Result<String, String> {
        let state = self.state()?;
        Ok(state["status"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until it has this status.
    pub fn wait_for(&self, status: &str) -> Check {
        let deadline = Instant::now() + SOON;
        loop {
            let now = self.status()?;
            self.reap();
            if now == status {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("it doesn't become {status}: it is {now}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the container's first process if it has ended: this process is its parent then, as engines are
    /// the parents of theirs.
    fn reap(&self) {
        if let Some(pid) = self.first_process.get() {
            let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
        }
    }

    /// The pid of its first process on the host.
    pub fn pid(&self) -> Result<i32, String> {
        let pid = self.state()?["pid"].as_i64().unwrap_or_default();
        i32::try_from(pid).map_err(|error| error.to_string())
    }

    /// What the created container printed so far.
    pub fn output(&self) -> String {
        fs::read_to_string(self.bench.path(&format!("{}.output", self.id))).unwrap_or_default()
    }

    /// Waits until what the created container printed satisfies `wanted`.
    pub fn wait_for_output(&self, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
        let deadline = Instant::now() + SOON;
        loop {
            let output = self.output();
            if wanted(&output) {
                return Ok(output);
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "the container's output isn't as it should be: {output}"
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Deletes what there is; of ours nothing may be left then.
    pub(super) fn leave(&self) -> Check {
        self.delete_all();
        self.unmount_all();
        if self.runtime != Runtime::Ours {
            return Ok(());
        }
        let mut left = self.bench.state_names();
        for id in self.ids() {
            let cgroups = host::cgroups_with(&id);
            left.extend(cgroups.iter().map(|path| path.display().to_string()));
        }
        left.extend(host::mounts_below(&self.bench.path("")));
        if left.is_empty() {
            return Ok(());
        }
        Err(format!("it leaves {left:?}"))
    }

    fn ids(&self) -> Vec<String> {
        let mut ids = self.others.borrow().clone();
        ids.push(self.id.clone());
        ids
    }

    fn unmount_all(&self) {
        for path in self.host_mounts.take().iter().rev() {
            let mut unmount = Tool::new("umount")
                .args(["--lazy", "--recursive"])
                .arg(path);
            let _ = unmount.command().output();
        }
    }

    fn delete_all(&self) {
        let made = host::names_in(&self.runtime.state(&self.bench));
        for id in self.ids().iter().filter(|id| made.contains(id)) {
            let mut delete = self.tool().args(["delete", "--force", id]);
            let _ = delete.command().output();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.delete_all();
        self.unmount_all();
        // What a peer leaves, or ours in a case that fails.
        for id in self.ids() {
            host::remove_cgroups(&id);
        }
    }
}

fn succeeded(outcome: &Outcome) -> Check {
    match outcome.code {
        Some(0) => Ok(()),
        _ => Err(format!("it must succeed: {outcome}")),
    }
}

/// Makes `to` the same as `from`, with the files themselves shared: no container writes to them.
fn link_tree(from: &Path, to: &Path) {
    fs::create_dir(to).expect("make a directory");
    for name in host::names_in(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        let kind = from.symlink_metadata().expect("look at a file").file_type();
        if kind.is_dir() {
            link_tree(&from, &to);
        } else {
            // Of a symbolic link, this is another name for the link itself.
            fs::hard_link(&from, &to).expect("link a file");
        }
    }
}
