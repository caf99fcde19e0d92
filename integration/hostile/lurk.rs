//! Looking into every process that appears: what CVE-2016-9962 and CVE-2019-5736 are about.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Its end, if nobody else sets one.
const LIMIT: Duration = Duration::from_secs(40);

/// Looks until `/tmp/stop` is there, and tells what it has seen of others.
pub fn lurk() -> Value {
    let own = std::process::id().to_string();
    let mut seen = Seen::default();
    let deadline = Instant::now() + LIMIT;
    // Those that are there already are of no interest.
    let before: HashSet<String> = pids().collect();
    fs::write("/tmp/lurking", "").expect("tell that it has begun");
    while !Path::new("/tmp/stop").exists() && Instant::now() < deadline {
        for pid in pids().filter(|pid| *pid != own && !before.contains(pid)) {
            seen.look_at(&pid);
        }
    }
    seen.told()
}

fn pids() -> impl Iterator<Item = String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

#[derive(Default)]
struct Seen {
    processes: BTreeSet<String>,
    capabilities: BTreeSet<String>,
    uids: BTreeSet<String>,
    descriptors: BTreeSet<String>,
    programs: BTreeSet<String>,
    written: BTreeSet<String>,
    environments: BTreeSet<String>,
    attached: BTreeSet<String>,
    /// Programs that were seen, kept open: while one is executed, nobody may write to it.
    kept: BTreeMap<String, File>,
}

impl Seen {
    fn look_at(&mut self, pid: &str) {
        let place = Path::new("/proc").join(pid);
        self.processes.insert(pid.to_owned());
        let status = fs::read_to_string(place.join("status")).unwrap_or_default();
        for line in status.lines() {
            match line.split_once(":\t") {
                Some(("CapPrm" | "CapEff" | "CapBnd", set)) => {
                    self.capabilities.insert(set.to_owned());
                }
                Some(("Uid", uids)) => {
                    self.uids.insert(uids.to_owned());
                }
                _ => {}
            }
        }
        for entry in fs::read_dir(place.join("fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            // What is open is taken as an attacker would, by opening it again.
            if let Ok(target) = fs::read_link(entry.path()) {
                self.descriptors.insert(target.display().to_string());
            }
            if fs::read_dir(entry.path()).is_ok() {
                self.descriptors.insert("a directory".to_owned());
            }
        }
        if let Ok(program) = fs::read_link(place.join("exe")) {
            self.keep(&program.display().to_string(), &place.join("exe"));
        }
        if let Ok(environment) = fs::read(place.join("environ")) {
            let text = String::from_utf8_lossy(&environment).into_owned();
            self.environments
                .extend(text.split('\0').map(str::to_owned));
        }
        // Opening the memory takes the same rights as ptrace(2) and leaves the process as it is.
        let memory = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(place.join("mem"));
        if memory.is_ok() {
            // One that has ended by now has no program, and had executed its command.
            let program = fs::read_link(place.join("exe")).ok();
            let shown = program.map(|program| program.display().to_string());
            self.attached.extend(shown);
        }
    }

    fn keep(&mut self, program: &str, path: &Path) {
        self.programs.insert(program.to_owned());
        // The image's own are nobody's loss.
        if !program.starts_with("/bin/") && !self.kept.contains_key(program) {
            let opened = File::open(path).ok();
            self.kept
                .extend(opened.map(|file| (program.to_owned(), file)));
        }
    }

    /// Tries to open what was kept again, to be written.
    fn write(&mut self) {
        for (program, file) in &self.kept {
            let again = format!("/proc/self/fd/{}", file.as_raw_fd());
            if fs::OpenOptions::new().write(true).open(again).is_ok() {
                self.written.insert(program.clone());
            }
        }
    }

    fn told(mut self) -> Value {
        self.write();
        json!({
            "processes": self.processes.len(),
            "capabilities": self.capabilities,
            "uids": self.uids,
            "descriptors": self.descriptors,
            "programs": self.programs,
            "written": self.written,
            "environments": self.environments,
            "attached": self.attached,
        })
    }
}
