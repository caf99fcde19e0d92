//! Naming a process so that a reused pid is never mistaken for it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use crate::kernel_file;
use crate::known::Known;
use crate::process_stat;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A pid with the time at which its process started, clock ticks since boot (proc(5), field 22 of stat),
/// and the pid namespace in which it has that pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The pid, as the host sees it.
    pub pid: i32,
    /// Its start time.
    pub start_time: u64,
    /// The inode number of the namespace.
    pub namespace: u64,
}

impl ProcessId {
    /// The process that has `pid` now.
    ///
    /// # Errors
    /// Where there is none.
    pub fn of(pid: i32) -> io::Result<Self> {
        let start_time = stat(pid)?.start_time;
        let namespace = own_namespace()?;
        Ok(Self {
            pid,
            start_time,
            namespace,
        })
    }

    /// The calling process.
    ///
    /// # Errors
    /// Where `/proc` can't be read.
    pub fn current() -> io::Result<Self> {
        CURRENT.get_or(|| Self::of(nix::unistd::getpid().as_raw()))
    }
}

static CURRENT: Known<ProcessId> = Known::new();
static NAMESPACE: Known<u64> = Known::new();

/// Whether `process` still runs; a zombie doesn't. One of another pid namespace can't be seen from here, so
/// it counts as running: nothing of its container may be taken away.
pub fn is_alive(process: ProcessId) -> bool {
    if CURRENT.get() == Some(process) || is_foreign(process) {
        return true;
    }
    stat(process.pid).is_ok_and(|stat| stat.is_running(process))
}

/// Whether `process` has ended and its parent hasn't waited for it yet.
pub fn is_unreaped(process: ProcessId) -> bool {
    !is_foreign(process)
        && stat(process.pid)
            .is_ok_and(|stat| stat.start_time == process.start_time && stat.state == 'Z')
}

/// Whether `process` is of another pid namespace than this one, where its pid means another process.
pub fn is_foreign(process: ProcessId) -> bool {
    // What can't be told must not be taken for ours.
    own_namespace().map_or(true, |own| own != process.namespace)
}

/// That of this process, which moves its children at most to another (pid_namespaces(7)).
fn own_namespace() -> io::Result<u64> {
    NAMESPACE.get_or(|| Ok(fs::metadata("/proc/self/ns/pid")?.ino()))
}

/// A descriptor of `process`, if that one still runs.
///
/// # Errors
/// `ESRCH` where it doesn't, or is of another pid namespace; those of pidfd_open(2), and of reading `/proc`. None
/// of these but the first says that it is gone.
pub fn open(process: ProcessId) -> io::Result<OwnedFd> {
    let gone = || io::Error::from_raw_os_error(libc::ESRCH);
    if is_foreign(process) {
        return Err(gone());
    }
    let pid = Pid::from_raw(process.pid).ok_or_else(gone)?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| match errno {
        // What kernels before 6.9 say where the process is gone and its pid still names a group or session.
        rustix::io::Errno::INVAL => gone(),
        other => other.into(),
    })?;
    // The descriptor holds the process now; if it is still the one meant, it can't become another.
    match stat(process.pid) {
        Ok(stat) if stat.is_running(process) => Ok(descriptor),
        // Of a process that is gone there is no file, or none that can be read.
        Err(error)
            if error.kind() != io::ErrorKind::NotFound
                && error.raw_os_error() != Some(libc::ESRCH) =>
        {
            Err(error)
        }
        Ok(_) | Err(_) => Err(gone()),
    }
}

/// Kills `process` if it still is that one, and not one that got its pid.
pub(super) fn kill_if_alive(process: ProcessId) {
    if let Ok(descriptor) = open(process) {
        // Gone in the meantime is as good.
        let _ = pidfd_send_signal(&descriptor, Signal::KILL);
    }
}

/// Whether the process `pid` ignores or handles `signal`, so that its default action isn't what happens. `None` where
/// that can't be seen.
pub(super) fn has_own_action(pid: i32, signal: i32) -> Option<bool> {
    let text = kernel_file::read(format!("/proc/{pid}/status")).ok()?;
    is_in_masks(&text, &["SigIgn:", "SigCgt:"], signal)
}

/// Whether `signal` is in one of the masks of these names in `status`, the text of `/proc/PID/status`.
pub(super) fn is_in_masks(status: &str, names: &[&str], signal: i32) -> Option<bool> {
    let bit = 1_u64 << signal.checked_sub(1)?;
    let masks = names.iter().map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    });
    let masks: Option<Vec<u64>> = masks.collect();
    Some(masks?.iter().any(|mask| mask & bit != 0))
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

/// Sets the calling process's `oom_score_adj`, which its children inherit.
///
/// # Errors
/// Where it can't be written.
pub(super) fn set_own_oom_score(score: i32) -> io::Result<()> {
    match fs::write("/proc/self/oom_score_adj", score.to_string()) {
        // Only root may lower it. An engine asks for its own, which is what the process has already.
        Err(error)
            if error.kind() == io::ErrorKind::PermissionDenied
                && !nix::unistd::geteuid().is_root() =>
        {
            Ok(())
        }
        other => other,
    }
}

struct Stat {
    state: char,
    parent: i32,
    start_time: u64,
}

impl Stat {
    /// Whether it is that of `process`, and neither of a zombie nor of one that got its pid.
    fn is_running(&self, process: ProcessId) -> bool {
        self.start_time == process.start_time && !matches!(self.state, 'Z' | 'X')
    }
}

/// Reads `/proc/PID/stat`.
fn stat(pid: i32) -> io::Result<Stat> {
    let text = kernel_file::read(format!("/proc/{pid}/stat"))?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/stat");
    let field = |number| process_stat::field(&text, number).ok_or_else(malformed);
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
        let foreign = ProcessId {
            namespace: us.namespace + 1,
            ..reused
        };
        assert!(is_foreign(foreign) && is_alive(foreign));
    }

    #[test]
    fn a_child_is_not_taken_for_the_process_that_made_it() {
        let us = ProcessId::current().unwrap();
        let child = crate::sys::fork_child(|| {
            let child = ProcessId::current().unwrap();
            let is_told = child.pid == nix::unistd::getpid().as_raw() && child != us;
            i32::from(!is_told || !is_alive(us) || child.namespace != us.namespace)
        });
        let ended = nix::sys::wait::waitpid(child.unwrap(), None).unwrap();
        assert!(
            matches!(ended, nix::sys::wait::WaitStatus::Exited(_, 0)),
            "{ended:?}"
        );
    }
}
