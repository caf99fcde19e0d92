//! Children that don't outlive this process.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use nix::sys::signal::SigSet;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Starts a program as [`spawn_mortal`] does that only this process's end ends: signals to this one's process group or
/// job, such as a terminal's, aren't meant for it.
///
/// # Errors
/// Those of starting it.
pub fn spawn_server(command: &mut Command) -> io::Result<Child> {
    command.process_group(0);
    // SAFETY: between fork and exec, it makes system calls and allocates nothing; an ignored signal runs no handler.
    unsafe { command.pre_exec(ignore_signals) };
    spawn_mortal(command)
}

/// Ignores every signal but those that tell of the program's own faults and children.
fn ignore_signals() -> io::Result<()> {
    const FAULTS: [libc::c_int; 9] = [
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGCHLD,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGPIPE,
        libc::SIGSEGV,
        libc::SIGSYS,
        libc::SIGTRAP,
    ];
    for signal in (1..=libc::SIGRTMAX()).filter(|signal| !FAULTS.contains(signal)) {
        // SAFETY: SIG_IGN is a valid disposition. The kernel refuses SIGKILL and SIGSTOP, libc its own two.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    Ok(())
}

/// Starts a program that is killed when this process ends, whatever program it is by then and however it ends. No
/// signal is blocked in it.
///
/// # Errors
/// Those of starting it.
pub fn spawn_mortal(command: &mut Command) -> io::Result<Child> {
    let parent = getpid();
    let die_with_parent = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        SigSet::empty().thread_set_mask()?;
        match getppid() == Some(parent) {
            true => Ok(()),
            // It has ended in between.
            false => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        }
    };
    // SAFETY: between fork and exec, it makes three system calls and allocates nothing.
    unsafe { command.pre_exec(die_with_parent) };
    command.spawn()
}
