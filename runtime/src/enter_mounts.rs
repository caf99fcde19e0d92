//! Entering a mount namespace in a program that has had threads.

use std::io;
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};

/// How long a thread may take to go that has been joined.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Moves this process, and its root and working directory, into the mount namespace that `namespace` is open at.
///
/// Threads must have been joined. That isn't enough for the kernel, which refuses a process that shares its root with another
/// task (setns(2)): a thread that is joined has still to give it up, and one that ends a [`std::thread::scope`] isn't even that.
/// So this waits for them.
///
/// # Errors
/// Those of setns(2); `EINVAL` also where another thread goes on.
pub fn enter_mount_namespace(namespace: impl AsFd) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match setns(namespace.as_fd(), CloneFlags::CLONE_NEWNS) {
            Err(Errno::EINVAL) if begun.elapsed() < GONE_WITHIN => {
                sleep(Duration::from_micros(100));
            }
            entered => return Ok(entered?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::geteuid;

    use super::*;
    use crate::sys::fork_child;

    #[test]
    fn a_thread_that_has_just_ended_is_in_nobodys_way() {
        if !geteuid().is_root() {
            return;
        }
        // The tests' own threads stay.
        let child = fork_child(|| {
            let own = File::open("/proc/self/ns/mnt").unwrap();
            let mut refused = 0;
            for _ in 0..2000 {
                std::thread::scope(|scope| drop(scope.spawn(|| {})));
                refused += i32::from(enter_mount_namespace(&own).is_err());
            }
            i32::from(refused != 0)
        })
        .unwrap();
        let ended = waitpid(child, None).unwrap();
        assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
    }
}
