//! Signal dispositions.

use std::io;

/// The highest signal number of the kernel's.
const LAST_SIGNAL: i32 = 64;

/// The kernel's `struct sigaction`; all zeros is the default disposition.
#[repr(C)]
struct KernelSigaction {
    handler: usize,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

/// Gives every signal its default disposition, the real-time ones that the C library keeps for itself
/// included: ignoring is inherited through execve(2).
///
/// # Errors
/// Those of rt_sigaction(2).
pub(crate) fn reset_signal_dispositions() -> io::Result<()> {
    let default = KernelSigaction {
        handler: libc::SIG_DFL,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let unchangeable = [libc::SIGKILL, libc::SIGSTOP];
    for number in (1..=LAST_SIGNAL).filter(|number| !unchangeable.contains(number)) {
        // SAFETY: `default` has the kernel's own layout, and its disposition runs no code of ours.
        let result = unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                &raw const default,
                std::ptr::null_mut::<KernelSigaction>(),
                size_of::<u64>(),
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
