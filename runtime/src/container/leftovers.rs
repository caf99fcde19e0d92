//! Ending what a command in the foreground leaves running where nothing else holds its processes together: the
//! container has neither a pid namespace nor a cgroup of its own, as an ordinary user's may have neither.
//!
//! Whatever loses its parent becomes this process's child, which is a subreaper. So do hooks' daemons, which
//! are no part of the container: they are in this process's own namespaces, and no process of a container is.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::process::children;
use super::{Error, Result, namespaces};

/// How long it may take: each round of killing may be met by processes made in it.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Namespaces that a container has of its own: an ordinary user's always a user namespace, root's a mount
/// namespace.
const TELLING: [&str; 2] = ["user", "mnt"];

/// Kills the container's processes among this one's children until there are none.
///
/// # Errors
/// Where they don't go.
pub(super) fn end() -> Result<()> {
    let failed = "end the processes that the command left";
    let deadline = Instant::now() + GONE_WITHIN;
    loop {
        reap();
        let mut left = children().map_err(Error::step(failed))?;
        left.retain(|pid| !is_in_our_namespaces(*pid));
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Error::step(failed)(io::Error::from(
                io::ErrorKind::TimedOut,
            )));
        }
        for pid in left {
            // A child's pid is its own until it is waited for, and nobody else waits.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}

/// What can't be looked at isn't: this process may look at all that is as it is itself.
fn is_in_our_namespaces(pid: i32) -> bool {
    let mut telling = TELLING.iter();
    telling.all(|kind| namespaces::is_ours(pid, kind).unwrap_or(false))
}
