//! fork(2) for the single-threaded runtime.

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::CloneFlags;
use nix::unistd::{ForkResult, Pid};

/// How many processes of this program lie between the one that was executed and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// A number that differs between this process and those from which it was forked here: what they have found out about themselves
/// is in its memory as well.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

fn note_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Forks: the child's pid in the parent, `None` in the child.
///
/// # Errors
/// Those of fork(2).
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the runtime starts no thread (only libcontainer and std are linked in, and neither does), so
    // the child may use the heap and any lock as it finds them.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => {
            note_child();
            Ok(None)
        }
    }
}

/// Forks; the child runs `body` and ends with its value, without running the parent's exit handlers. For programs
/// that have started no thread.
///
/// # Errors
/// Those of fork(2).
pub fn fork_child(body: impl FnOnce() -> i32) -> io::Result<Pid> {
    if let Some(child) = fork()? {
        return Ok(child);
    }
    let code = body();
    // SAFETY: ends the child at once, as it is meant to.
    unsafe { libc::_exit(code) }
}

/// Makes a child that runs `body` and ends with its value, without running exit handlers. `is_sibling`: a
/// child of the caller's own parent. For programs that have started no thread.
///
/// # Errors
/// Those of clone(2).
pub fn clone_child(is_sibling: bool, body: impl FnOnce() -> i32) -> io::Result<Pid> {
    let pid = plain_clone(if is_sibling { libc::CLONE_PARENT } else { 0 })?;
    in_child(pid, body)
}

/// The same, the caller's child in new `namespaces`, and born in `cgroup`, the directory of one of version 2, where the
/// kernel lets it: `body` is told whether it is. Where not, moving it there tells why.
///
/// # Errors
/// Those of clone(2).
pub(crate) fn clone_child_into(
    cgroup: Option<BorrowedFd<'_>>,
    namespaces: CloneFlags,
    body: impl FnOnce(bool) -> i32,
) -> io::Result<Pid> {
    let born = cgroup.and_then(|cgroup| clone_into(cgroup, namespaces).ok());
    let pid = match born {
        Some(pid) => pid,
        None => plain_clone(namespaces.bits())?,
    };
    in_child(pid, || body(born.is_some()))
}

fn in_child(pid: i32, body: impl FnOnce() -> i32) -> io::Result<Pid> {
    if pid > 0 {
        return Ok(Pid::from_raw(pid));
    }
    note_child();
    let code = body();
    // SAFETY: ends the child at once, as it is meant to.
    unsafe { libc::_exit(code) }
}

/// fork(2), but for what `flags` add: the parent, or namespaces. Not clone3(2), which some seccomp profiles around us refuse.
fn plain_clone(flags: libc::c_int) -> io::Result<i32> {
    let flags = libc::c_long::from(flags | libc::SIGCHLD);
    // SAFETY: without CLONE_VM this is fork(2); the other arguments, whose order depends on the
    // architecture, are all null. The runtime starts no thread.
    result(unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) })
}

/// linux/sched.h; libc's own constant is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

fn clone_into(cgroup: BorrowedFd<'_>, namespaces: CloneFlags) -> io::Result<i32> {
    let namespaces = u64::from(namespaces.bits().cast_unsigned());
    let arguments = libc::clone_args {
        flags: CLONE_INTO_CGROUP | namespaces,
        pidfd: 0,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD.cast_unsigned().into(),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup.as_raw_fd().cast_unsigned().into(),
    };
    // SAFETY: the structure lives through the call and has the size that is told; without CLONE_VM the
    // child has memory of its own. The runtime starts no thread.
    result(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of_val(&arguments),
        )
    })
}

fn result(value: libc::c_long) -> io::Result<i32> {
    match i32::try_from(value) {
        Ok(pid) if pid >= 0 => Ok(pid),
        _ => Err(io::Error::last_os_error()),
    }
}
