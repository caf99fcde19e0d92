//! What there is of a soak on the host, counted.

use std::fmt::{self, Write};
use std::fs;
use std::path::{Path, PathBuf};

use integration::{Bench, host};
use nix::unistd::Pid;

/// What must be flat: of the soak's own things, so that others on the host don't count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Names in the state directory.
    pub states: usize,
    /// Of containers whose id has the soak's mark.
    pub cgroups: usize,
    /// In our mount namespace, below the soak's place.
    pub mounts: usize,
    /// With a file of the soak's place behind them.
    pub loops: usize,
    /// That name the soak's place, or its mark, in their command line.
    pub processes: usize,
    /// That have ended, with the watched process, or us, for their parent.
    pub zombies: usize,
    /// Of the watched process.
    pub descriptors: usize,
    /// Of the watched process.
    pub threads: usize,
}

impl Own {
    /// Whether nothing is more, or less, than at the start. A server's idle threads end by themselves.
    pub fn is_as(&self, start: &Self) -> bool {
        let threads = self.threads.min(start.threads);
        let at_start = Self {
            threads,
            ..start.clone()
        };
        *self == at_start
    }
}

/// At one moment.
#[derive(Debug, Clone)]
pub struct Figures {
    pub own: Own,
    /// Resident memory of the watched process, KiB.
    pub resident: u64,
    /// What all of the host has: open files, mounts, the kernel's own memory that it can't give back and the host's
    /// available memory, both in MiB.
    host: [u64; 4],
}

/// Whose things are counted.
pub struct Watch<'a> {
    pub bench: &'a Bench,
    /// In the ids of its containers.
    pub mark: &'a str,
    /// The process that serves or supervises. Our own is no measure: other tests run in it.
    pub process: Option<Pid>,
}

impl Watch<'_> {
    pub fn figures(&self) -> Figures {
        let place = self.bench.path("").display().to_string();
        let place = place.trim_end_matches('/').to_owned();
        let of_process = |name: &str| {
            let process = self.process.map(|pid| format!("/proc/{pid}/{name}"));
            process.map_or_else(PathBuf::new, PathBuf::from)
        };
        let is_ours = |shown: &str| shown.contains(&place) || shown.contains(self.mark);
        Figures {
            own: Own {
                states: self.bench.state_names().len(),
                cgroups: host::cgroups_with(self.mark).len(),
                mounts: host::mounts_below(Path::new(&place)).len(),
                loops: loops(&place),
                processes: host::processes(is_ours).len(),
                zombies: zombies(self.process.unwrap_or_else(nix::unistd::getpid)),
                descriptors: host::names_in(&of_process("fd")).len(),
                threads: host::names_in(&of_process("task")).len(),
            },
            resident: field(&of_process("status"), "VmRSS:"),
            host: [
                first_number("/proc/sys/fs/file-nr"),
                fs::read_to_string("/proc/self/mountinfo")
                    .map_or(0, |text| text.lines().count() as u64),
                field(Path::new("/proc/meminfo"), "SUnreclaim:") / 1024,
                field(Path::new("/proc/meminfo"), "MemAvailable:") / 1024,
            ],
        }
    }
}

/// The table's head.
pub fn head() -> String {
    let columns = [
        "after",
        "states",
        "cgroups",
        "mounts",
        "loop devices",
        "processes",
        "zombies",
        "descriptors",
        "threads",
        "resident KiB",
        "host: open files",
        "mounts",
        "kernel's MiB",
        "available MiB",
    ];
    format!(
        "| {} |\n|{}",
        columns.join(" | "),
        "---|".repeat(columns.len())
    )
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = &self.own;
        let counts = [
            own.states,
            own.cgroups,
            own.mounts,
            own.loops,
            own.processes,
            own.zombies,
            own.descriptors,
            own.threads,
        ];
        let mut row = String::new();
        for count in counts {
            write!(row, " {count} |")?;
        }
        write!(row, " {} |", self.resident)?;
        for figure in self.host {
            write!(row, " {figure} |")?;
        }
        f.write_str(&row)
    }
}

fn loops(place: &str) -> usize {
    let names = host::names_in(Path::new("/sys/block"));
    let files = names
        .iter()
        .filter_map(|name| fs::read_to_string(format!("/sys/block/{name}/loop/backing_file")).ok());
    files.filter(|file| file.contains(place)).count()
}

/// The processes that have ended and that this one hasn't waited for.
fn zombies(parent: Pid) -> usize {
    let parent = parent.to_string();
    let names = host::names_in(Path::new("/proc"));
    let stats = names
        .iter()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    stats
        .filter(|stat| {
            // Behind the name, in which anything may be: the state and the parent.
            let mut fields = stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .split(' ')
                .skip(1);
            let is_zombie = fields.next() == Some("Z");
            is_zombie && fields.next() == Some(parent.as_str())
        })
        .count()
}

/// The number behind a word in a file of lines.
fn field(path: &Path, word: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(word));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}

fn first_number(path: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0)
}
