//! What still runs of a job's container when the job is over: Slurm ends the processes of a step, unless it has lost hold
//! of them.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bundles::promise::parse_status;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long processes may take to end that were killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whose processes, and in which root file system. A process doesn't say that of itself: the kernel does.
#[derive(Debug, Clone, Copy)]
struct Theirs {
    uid: u32,
    device: u64,
}

/// Kills the processes whose root directory is in the root file system of the container in `directory` and that are its
/// user's, until there is none. Who supervises them ends with them.
///
/// # Errors
/// Where one doesn't end.
pub(super) fn end(directory: &Path) -> Result<()> {
    let rootfs = directory.join("bundle/rootfs");
    let (Ok(place), Ok(rootfs)) = (fs::metadata(directory), fs::metadata(rootfs)) else {
        return Ok(());
    };
    let theirs = Theirs {
        uid: place.uid(),
        device: rootfs.dev(),
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let killed = theirs.kill()?;
        if killed.is_empty() {
            return Ok(());
        }
        for (pid, process) in &killed {
            if !has_ended(process, deadline)? {
                bail!("process {pid} of the container doesn't end");
            }
        }
    }
}

impl Theirs {
    fn kill(self) -> Result<Vec<(i32, OwnedFd)>> {
        let mut killed = vec![];
        for entry in fs::read_dir("/proc").context("read /proc")? {
            let name = entry.context("read /proc")?.file_name();
            let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Some(pid) = Pid::from_raw(number).filter(|_| self.has(number)) else {
                continue;
            };
            // One that is gone by now has ended.
            let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
                continue;
            };
            // What is open is that process for good: another one may have had the number before.
            if self.has(number) && pidfd_send_signal(&process, Signal::KILL).is_ok() {
                killed.push((number, process));
            }
        }
        Ok(killed)
    }

    fn has(self, number: i32) -> bool {
        let root = fs::metadata(format!("/proc/{number}/root"));
        // The directory in /proc is root's where the process hides its memory.
        let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
        root.is_ok_and(|root| root.dev() == self.device)
            && parse_status(&status).is_ok_and(|status| status.uid[0] == self.uid)
    }
}

fn has_ended(process: &OwnedFd, deadline: Instant) -> Result<bool> {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Timespec {
        tv_sec: left.as_secs().cast_signed(),
        tv_nsec: left.subsec_nanos().into(),
    };
    let mut ended = [PollFd::new(process, PollFlags::IN)];
    Ok(poll(&mut ended, Some(&left)).context("wait for a process")? > 0)
}
