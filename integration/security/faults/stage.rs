//! Where an operation is tried again and again, and what must be gone afterwards.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use integration::{Bench, Probe, Tool, host, plain};
use nix::sys::signal;
use nix::unistd::Pid;
use serde_json::json;

use super::operation::{Operation, traced};
use crate::site::Site;

/// After so long nobody waits for a command under strace any more, but lets it go on without.
const TRACED: Duration = Duration::from_secs(6);

/// A command takes a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where an operation is tried again and again.
pub struct Stage {
    pub bench: Bench,
    pub operation: Operation,
    pub id: String,
    pub config: PathBuf,
    /// Where the operation is Shifter's.
    pub site: Option<Site>,
}

impl Stage {
    pub fn new(operation: Operation) -> Self {
        let bench = Bench::new();
        let site = (operation == Operation::Shifter).then(|| {
            let site = Site::new("");
            site.image("packed", "squashfs");
            site
        });
        let id = format!("faults-{}-{}", std::process::id(), operation as usize);
        // Its name is in its processes' command lines.
        plain::bundle(
            &bench,
            "plain",
            &["sh", "-c", &format!("sleep 1000; : {id}")],
        );
        let command = Probe::on(&bench).command();
        bench.sealed("sealed", &command, &["hold", &id]);
        bench.sealed("short", &command, &["ids"]);
        bench.directory("made");
        bench.directory("project");
        let config = bench.config(&json!([command]));
        Self {
            bench,
            operation,
            id,
            config,
            site,
        }
    }

    /// The places of all that is made.
    fn places(&self) -> Vec<PathBuf> {
        let site = self.site.iter().map(|site| site.path(""));
        [self.bench.path("")].into_iter().chain(site).collect()
    }

    pub fn runtime(&self) -> Tool {
        self.bench.runtime()
    }

    pub fn create(&self) {
        let create = self.runtime().args(["create", "--bundle"]);
        let create = create.arg(self.bench.path("plain")).arg(&self.id);
        create.quietly().expect(0);
    }

    pub fn wait_until_stopped(&self) {
        integration::wait_until("it stops", PATIENCE, || {
            let state = self.runtime().args(["state", &self.id]).run();
            state.stdout.contains("\"stopped\"")
        });
    }

    /// Runs the operation with these options of strace's: how it ended, `None` where it doesn't end, and what it said.
    pub fn run(&self, options: &[&str]) -> (Option<ExitStatus>, String) {
        self.operation.prepare(self);
        let errors = self.bench.path("errors");
        let mut tool = traced(self, options, self.operation);
        let file = |name| Stdio::from(File::create(self.bench.path(name)).expect("a file"));
        let mut child = tool
            .command()
            .stdin(Stdio::null())
            .stdout(file("output"))
            .stderr(file("errors"))
            .spawn()
            .expect("start strace");
        let mut status = ended(&mut child, TRACED);
        if status.is_none() {
            // A first process of a pid namespace that aborts does so for ever while it is traced: its signals don't
            // end it then (signal(7) has it for kill(2), the kernel for faults of traced ones).
            self.end_tracing();
            status = ended(&mut child, PATIENCE);
        }
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let said = fs::read(errors).unwrap_or_default();
        (status, String::from_utf8_lossy(&said).into_owned())
    }

    fn end_tracing(&self) {
        let places = self.places();
        let is_ours = |shown: &str| places.iter().any(|place| names(shown, place));
        for line in host::processes(|shown| shown.starts_with("strace ") && is_ours(shown)) {
            kill(&line);
        }
    }

    /// Deletes by force, and tells what is left then.
    pub fn leftovers(&self, killed: bool) -> Vec<String> {
        let mut left = vec![];
        let delete = self.runtime().args(["delete", "--force", &self.id]).run();
        if delete.code != Some(0) {
            left.push(format!("delete --force fails: {}", delete.stderr.trim()));
        }
        let places = self.places();
        let deadline = Instant::now() + PATIENCE;
        let is_ours = |shown: &str| places.iter().any(|place| names(shown, place));
        let alive = || host::processes(|shown| is_ours(shown) || shown.contains(&self.id));
        while !alive().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        left.extend(
            alive()
                .into_iter()
                .map(|process| format!("process {process}")),
        );
        // What notes that a run was in the foreground isn't the container's: the next run sweeps it.
        if self
            .bench
            .state_names()
            .iter()
            .any(|name| name.starts_with('%'))
        {
            let run = self.runtime().args(["run", "--bundle"]);
            let run = run.arg(self.bench.path("short"));
            run.arg(format!("{}-next", self.id)).expect(0);
        }
        left.extend(
            self.bench
                .state_names()
                .into_iter()
                .map(|name| format!("state {name}")),
        );
        let cgroups = host::cgroups_with(&self.id);
        left.extend(
            cgroups
                .iter()
                .map(|path| format!("cgroup {}", path.display())),
        );
        let mounts = places.iter().flat_map(|place| host::mounts_below(place));
        left.extend(mounts.map(|line| format!("mount {line}")));
        left.extend(self.half_made(killed));
        left.extend(self.site.iter().flat_map(left_on_site));
        if !left.is_empty() {
            // The next point is to be blamed for its own only.
            alive().iter().for_each(|line| kill(line));
            host::remove_cgroups(&self.id);
            let _ = fs::remove_dir_all(self.bench.root());
        }
        left
    }

    /// A bundle is there whole, or without the `config.json` that makes it one.
    fn half_made(&self, killed: bool) -> Vec<String> {
        let made = self.bench.path("made");
        let mut left = vec![];
        for name in host::names_in(&made) {
            let bundle = made.join(&name);
            let is_one = bundle.join("config.json").exists();
            let is_whole = || self.runtime().arg("check").arg(&bundle).run().code == Some(0);
            if name != "bundle" || (is_one || !killed) && !is_whole() {
                left.push(format!("in the bundle's place {name}"));
            }
        }
        let _ = fs::remove_dir_all(&made);
        self.bench.directory("made");
        left
    }
}

/// Whether a process's line names this place.
fn names(shown: &str, place: &Path) -> bool {
    shown.contains(place.display().to_string().trim_end_matches('/'))
}

/// What is left on a site after another container of the same image, which must come about.
fn left_on_site(site: &Site) -> Vec<String> {
    let next = site.tool("", "1234:1234").args(["--image=packed", "true"]);
    let next = next.run();
    let mut left = vec![];
    if next.code != Some(0) {
        left.push(format!("the next container: {next}"));
    }
    let in_use = || {
        let mut names = host::names_in(&site.path("node"));
        // Which files were read stays known.
        names.retain(|name| name != "checked");
        names.extend(host::names_in(&site.path("udi")));
        names.extend(site.bench.state_names());
        names
    };
    // The keeper of an image ends by itself, when the kernel has taken the last mount apart.
    let deadline = Instant::now() + PATIENCE;
    while !in_use().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    left.extend(
        in_use()
            .into_iter()
            .map(|name| format!("on the site {name}")),
    );
    left
}

/// Waits for the end of `child`, so long.
fn ended(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait().expect("wait") {
            Some(status) => return Some(status),
            None if Instant::now() > deadline => return None,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Kills the process that a line of [`host::processes`] is about.
fn kill(line: &str) {
    if let Some(Ok(pid)) = line.split(' ').next().map(str::parse) {
        let _ = signal::kill(Pid::from_raw(pid), signal::SIGKILL);
    }
}
