//! Restrictions that a program gets before it begins.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{BpfProgram, apply_filter};

/// Has what `command` starts give up what `ruleset` (of Landlock) and `filter` don't let it do. It writes no file larger
/// than `largest` bytes, and maps no more than `memory`.
pub(crate) fn confine(
    command: &mut Command,
    ruleset: OwnedFd,
    filter: BpfProgram,
    largest: u64,
    memory: u64,
) {
    let give_up = move || {
        for (resource, most) in [
            (Resource::Fsize, largest),
            (Resource::As, memory),
            (Resource::Core, 0),
        ] {
            let limit = Rlimit {
                current: Some(most),
                maximum: Some(most),
            };
            setrlimit(resource, limit)?;
        }
        rustix::thread::set_no_new_privs(true)?;
        let number = libc::SYS_landlock_restrict_self;
        // SAFETY: a system call upon a descriptor that is open, without a pointer.
        let code = unsafe { libc::syscall(number, ruleset.as_raw_fd(), 0) };
        if code != 0 {
            return Err(io::Error::last_os_error());
        }
        // Its own error may not be formatted here.
        apply_filter(&filter).map_err(|_| io::Error::from_raw_os_error(libc::EPERM))
    };
    // SAFETY: between fork and exec, it makes system calls and allocates nothing.
    unsafe { command.pre_exec(give_up) };
}
