//! fork(2) for the single-threaded runtime.

use std::io;

use nix::unistd::{ForkResult, Pid};

/// Forks: the child's pid in the parent, `None` in the child.
///
/// # Errors
/// Those of fork(2).
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the runtime starts no thread (only libcontainer and std are linked in, and neither does), so
    // the child may use the heap and any lock as it finds them.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// Forks; the child runs `body` and ends with its value, without running the parent's exit handlers.
///
/// # Errors
/// Those of fork(2).
pub(crate) fn fork_child(body: impl FnOnce() -> i32) -> io::Result<Pid> {
    if let Some(child) = fork()? {
        return Ok(child);
    }
    let code = body();
    // SAFETY: ends the child at once, as it is meant to.
    unsafe { libc::_exit(code) }
}
