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
        let (_, start_time) = stat(pid)?;
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
    stat(process.pid).is_ok_and(|(state, start_time)| {
        start_time == process.start_time && !matches!(state, 'Z' | 'X')
    })
}

/// State and start time from `/proc/PID/stat`; the command in it may hold spaces and parentheses.
fn stat(pid: i32) -> io::Result<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/stat");
    let (_, rest) = text.rsplit_once(')').ok_or_else(malformed)?;
    let mut fields = rest.split_whitespace();
    let state = fields
        .next()
        .and_then(|field| field.chars().next())
        .ok_or_else(malformed)?;
    // `state` is field 3, so field 22 is the 19th after it; `nth` counts from 0.
    let start_time = fields
        .nth(18)
        .and_then(|field| field.parse().ok())
        .ok_or_else(malformed)?;
    Ok((state, start_time))
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
