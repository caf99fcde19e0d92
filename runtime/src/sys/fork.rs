//! fork(2) for the single-threaded runtime.

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::CloneFlags;
use nix::unistd::{ForkResult, Pid};

use super::signal::note_default_dispositions;

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

/// How a child is born.
pub(crate) struct Birth<'a> {
    /// In the cgroup of this directory, of version 2.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// In new namespaces of these kinds.
    pub namespaces: CloneFlags,
    /// With what its parent ignores ignored.
    pub keeps_ignored: bool,
}

/// The same, the caller's child, as `birth` has it where the kernel can do that: `body` is told whether it is in its cgroup. Where not,
/// moving it there tells why. Signals are the child's own to reset, see [`super::reset_signal_dispositions`].
///
/// # Errors
/// Those of clone(2).
pub(crate) fn clone_child_into(
    birth: &Birth<'_>,
    body: impl FnOnce(bool) -> i32,
) -> io::Result<Pid> {
    if let Ok(pid) = clone_as(birth) {
        return in_child(pid, || {
            if !birth.keeps_ignored {
                note_default_dispositions();
            }
            body(birth.cgroup.is_some())
        });
    }
    let pid = plain_clone(birth.namespaces.bits())?;
    in_child(pid, || body(false))
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

/// linux/sched.h; libc's own constants are too narrow for them.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

fn clone_as(birth: &Birth<'_>) -> io::Result<i32> {
    let mut flags = u64::from(birth.namespaces.bits().cast_unsigned());
    if birth.cgroup.is_some() {
        flags |= CLONE_INTO_CGROUP;
    }
    if !birth.keeps_ignored {
        flags |= CLONE_CLEAR_SIGHAND;
    }
    let cgroup = birth.cgroup.map_or(0, |cgroup| cgroup.as_raw_fd());
    let arguments = libc::clone_args {
        flags,
        pidfd: 0,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD.cast_unsigned().into(),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup.cast_unsigned().into(),
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
