//! fork(2) for the single-threaded runtime.

use std::io;

use nix::unistd::{ForkResult, Pid, fork};

/// Forks; the child runs `body` and exits with its value, without unwinding into the parent's code.
///
/// # Errors
/// Those of fork(2).
pub(crate) fn fork_child(body: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: the runtime starts no thread before this (only libcontainer and std are linked in, and
    // neither does), so the child may use the heap and any lock as it finds them.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let code = body();
            // SAFETY: ends the child at once; the parent's atexit handlers and buffers aren't run twice.
            unsafe { libc::_exit(code) }
        }
    }
}
