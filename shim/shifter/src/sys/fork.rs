//! fork(2) for a single-threaded program.

use std::io;

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid};

/// Forks; the child runs `body` and ends with its value, without running the parent's exit handlers.
///
/// # Errors
/// Those of fork(2).
pub(crate) fn fork_child(body: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: this program starts no thread (nor does any library that it has), so the child may use the heap and any
    // lock as it finds them.
    if let ForkResult::Parent { child } = unsafe { nix::unistd::fork() }? {
        return Ok(child);
    }
    let code = body();
    // SAFETY: ends the child at once, as it is meant to.
    unsafe { libc::_exit(code) }
}

/// Forks a process that isn't the caller's child and that nobody has to wait for.
///
/// # Errors
/// Those of fork(2), and one where the process between can't fork.
pub(crate) fn fork_detached(body: impl FnOnce() -> i32) -> io::Result<()> {
    let between = fork_child(|| i32::from(fork_child(body).is_err()))?;
    match waitpid(between, None)? {
        nix::sys::wait::WaitStatus::Exited(_, 0) => Ok(()),
        _ => Err(io::Error::other("its second fork failed")),
    }
}
