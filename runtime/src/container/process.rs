//! Naming a process so that a reused pid is never mistaken for it.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

/// A pid with the time at which its process started, clock ticks since boot (proc(5), field 22 of stat).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The pid, as the host sees it.
    pub pid: i32,
    /// Its start time.
    pub start_time: u64,
}

impl ProcessId {
    /// The process that has `pid` now.
    ///
    /// # Errors
    /// Where there is none.
    pub fn of(pid: i32) -> io::Result<Self> {
        let start_time = stat(pid)?.start_time;
        Ok(Self { pid, start_time })
    }

    /// The calling process.
    ///
    /// # Errors
    /// Where `/proc` can't be read.
    pub fn current() -> io::Result<Self> {
        Self::of(nix::unistd::getpid().as_raw())
    }
}

/// Whether `process` still runs; a zombie doesn't.
pub fn is_alive(process: ProcessId) -> bool {
    stat(process.pid)
        .is_ok_and(|stat| stat.start_time == process.start_time && !matches!(stat.state, 'Z' | 'X'))
}

/// The children of the calling process, zombies included.
///
/// # Errors
/// Where `/proc` can't be read.
pub(super) fn children() -> io::Result<Vec<i32>> {
    let us = nix::unistd::getpid().as_raw();
    let pids =
        fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids
        .filter(|pid| stat(*pid).is_ok_and(|stat| stat.parent == us))
        .collect())
}

struct Stat {
    state: char,
    parent: i32,
    start_time: u64,
}

/// Reads `/proc/PID/stat`; the command in it may hold spaces and parentheses.
fn stat(pid: i32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/stat");
    let (_, rest) = text.rsplit_once(')').ok_or_else(malformed)?;
    // `state` is field 3 of proc(5), the parent 4, the start time 22.
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied().ok_or_else(malformed);
    Ok(Stat {
        state: field(3)?.chars().next().ok_or_else(malformed)?,
        parent: field(4)?.parse().map_err(|_| malformed())?,
        start_time: field(22)?.parse().map_err(|_| malformed())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_until_its_start_time_differs() {
        let us = ProcessId::current().unwrap();
        assert!(is_alive(us));
        let reused = ProcessId {
            start_time: us.start_time + 1,
            ..us
        };
        assert!(!is_alive(reused));
    }
}
