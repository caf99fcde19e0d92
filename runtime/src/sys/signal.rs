//! Signals by their numbers: dispositions, and sending those that have no name.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::signal::Signal;

/// Signals that concern only the process that gets them.
pub(crate) const OWN: [Signal; 7] = [
    Signal::SIGCHLD,
    Signal::SIGPIPE,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGCONT,
    Signal::SIGURG,
];

/// Signals that tell a process of a fault of its own, and must end it, not wait.
pub(crate) const FAULTS: [Signal; 5] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGABRT,
];

/// The highest signal number of the kernel's.
const LAST_SIGNAL: i32 = 64;

/// The highest that isn't a real-time one.
const LAST_NAMED: i32 = 31;

/// The kernel's `struct sigaction`; all zeros is the default disposition.
#[repr(C)]
struct KernelSigaction {
    handler: usize,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

impl KernelSigaction {
    const DEFAULT: Self = Self {
        handler: libc::SIG_DFL,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
}

/// Gives every signal its default disposition, the real-time ones that the C library keeps for itself
/// included: ignoring is inherited through execve(2), and CLONE_CLEAR_SIGHAND of clone(2) leaves it as it is, too.
/// With `keeps_ignored` what is ignored stays so, but for those of which that need not be the caller's doing (Rust ignores
/// SIGPIPE; glibc's posix_spawn(3) the real-time ones that it keeps for itself) or would be no use (SIGCHLD).
///
/// # Errors
/// Those of rt_sigaction(2).
pub(crate) fn reset_signal_dispositions(keeps_ignored: bool) -> io::Result<()> {
    let unchangeable = [libc::SIGKILL, libc::SIGSTOP];
    let is_callers =
        |number: i32| number <= LAST_NAMED && ![libc::SIGPIPE, libc::SIGCHLD].contains(&number);
    for number in (1..=LAST_SIGNAL).filter(|number| !unchangeable.contains(number)) {
        if keeps_ignored && is_callers(number) && is_ignored(number)? {
            continue;
        }
        set_default(number)?;
    }
    Ok(())
}

/// Has the kernel keep the ends of this process's children for it. A caller that ignores SIGCHLD hands that down, and
/// nothing could be waited for.
///
/// # Errors
/// Those of rt_sigaction(2).
pub(crate) fn keep_ends_of_children() -> io::Result<()> {
    set_default(libc::SIGCHLD)
}

fn set_default(number: i32) -> io::Result<()> {
    disposition(number, Some(&KernelSigaction::DEFAULT)).map(drop)
}

fn is_ignored(number: i32) -> io::Result<bool> {
    Ok(disposition(number, None)?.handler == libc::SIG_IGN)
}

/// The disposition of a signal so far; `new` is the one from now on.
fn disposition(number: i32, new: Option<&KernelSigaction>) -> io::Result<KernelSigaction> {
    let mut old = KernelSigaction::DEFAULT;
    // SAFETY: both have the kernel's own layout, and only `old` is written. The one that is ever set is the default, which
    // runs no code of ours.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            number,
            new.map_or(std::ptr::null(), std::ptr::from_ref),
            &raw mut old,
            size_of::<u64>(),
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(old)
}

/// Sends the signal `number` to the process that `process`, a pidfd, refers to: a real-time one too, or 0,
/// which only asks whether it is there.
///
/// # Errors
/// Those of pidfd_send_signal(2).
pub(crate) fn send_signal(process: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    // SAFETY: the call reads a siginfo where it isn't given null, and nothing else of this process's memory.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            number,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Sends the signal `number` to the process `pid`, as [`send_signal`] does.
///
/// # Errors
/// Those of kill(2).
pub(crate) fn send_signal_to_pid(pid: i32, number: i32) -> io::Result<()> {
    // SAFETY: the call takes numbers only.
    if unsafe { libc::kill(pid, number) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
