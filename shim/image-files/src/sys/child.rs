//! Children that don't outlive this process.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use nix::sys::signal::SigSet;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

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
