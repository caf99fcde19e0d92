//! close_range(2).

use std::io;
use std::os::fd::RawFd;

/// Closes every descriptor from 3 on but those in `kept`. Nothing in this process may use, or drop, any other that it
/// has open.
///
/// # Errors
/// Those of close_range(2).
pub(crate) fn close_descriptors_but(kept: &[RawFd]) -> io::Result<()> {
    let mut kept: Vec<u32> = kept
        .iter()
        .filter_map(|kept| (*kept).try_into().ok())
        .collect();
    kept.sort_unstable();
    let mut first = 3;
    for number in kept {
        if first < number {
            close_between(first, number - 1)?;
        }
        first = first.max(number + 1);
    }
    close_between(first, u32::MAX)
}

fn close_between(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: closing is harmless to memory; the caller gives up the descriptors.
    let result = unsafe { libc::close_range(first, last, 0) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
