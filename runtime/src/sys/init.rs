//! What the first process of a pid namespace needs to leave nothing of itself to see.

use std::io;
use std::os::fd::RawFd;

use crate::known::Known;
use crate::{kernel_file, process_stat};

/// Ends the process without running any exit handler.
pub(crate) fn exit_at_once(code: i32) -> ! {
    // SAFETY: _exit(2) takes any value and doesn't return.
    unsafe { libc::_exit(code) }
}

/// Closes every descriptor. Nothing in this process may use one that it has open any more.
///
/// # Errors
/// Those of close_range(2).
pub(crate) fn close_all_descriptors() -> io::Result<()> {
    change_between(0, libc::c_uint::MAX, 0)
}

/// Closes every descriptor but those in `kept`, which is sorted for it. Nothing in this process may use, or
/// drop, any other that it has open.
///
/// # Errors
/// Those of close_range(2).
pub fn close_descriptors_except(kept: &mut [RawFd]) -> io::Result<()> {
    close_descriptors_from(0, kept)
}

/// Closes those from `first` on, but for those in `kept`, likewise.
///
/// # Errors
/// Those of close_range(2).
pub(crate) fn close_descriptors_from(first: RawFd, kept: &mut [RawFd]) -> io::Result<()> {
    kept.sort_unstable();
    let mut first = first.cast_unsigned();
    for number in kept
        .iter()
        .filter_map(|number| libc::c_uint::try_from(*number).ok())
    {
        if first < number {
            change_between(first, number - 1, 0)?;
        }
        first = first.max(number + 1);
    }
    change_between(first, libc::c_uint::MAX, 0)
}

/// Has execve(2) close all descriptors from `first` on.
///
/// # Errors
/// Those of close_range(2).
pub(crate) fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
    change_between(first.cast_unsigned(), libc::c_uint::MAX, flags)
}

/// By its number: musl has no function for it.
fn change_between(first: libc::c_uint, last: libc::c_uint, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: neither closing nor marking harms memory; of what is closed the caller gives up the descriptors.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Overwrites the process's arguments and environment, which `/proc/PID/cmdline` shows to everybody.
///
/// The process must not read its arguments or environment afterwards.
///
/// # Errors
/// Where `/proc/self/stat` can't be read.
pub fn forget_arguments_and_environment() -> io::Result<()> {
    for (start, length) in STRINGS.get_or(strings)? {
        let strings = std::ptr::with_exposed_provenance_mut::<u8>(start);
        // SAFETY: the kernel put the strings there, on the stack above any frame of ours, in memory that
        // is the process's own and writable; zeros leave them valid C strings for whoever has pointers.
        unsafe { strings.write_bytes(0, length) };
    }
    Ok(())
}

/// Finds out where they are, for a process that has no time for it when it is to forget them.
///
/// # Errors
/// As those.
pub(crate) fn look_for_arguments() -> io::Result<()> {
    STRINGS.get_or(strings).map(|_| ())
}

static STRINGS: Known<[(usize, usize); 2]> = Known::new();

/// Where the arguments begin, and the environment, and how many bytes each has.
fn strings() -> io::Result<[(usize, usize); 2]> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "/proc/self/stat");
    let text = kernel_file::read("/proc/self/stat")?;
    let address = |number| {
        let field = process_stat::field(&text, number);
        let address = field.and_then(|field| field.parse::<usize>().ok());
        address.ok_or_else(malformed)
    };
    let between = |start, end| {
        let (start, end): (usize, usize) = (address(start)?, address(end)?);
        let length = end.checked_sub(start).ok_or_else(malformed)?;
        Ok::<_, io::Error>((start, length))
    };
    // arg_start, arg_end; env_start, env_end.
    Ok([between(48, 49)?, between(50, 51)?])
}
