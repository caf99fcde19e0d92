//! Descriptors known by number only.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

/// Writes `bytes`, once, to a descriptor that crossed a fork as a number. To open it again through
/// `/proc/self/fd` would need the rights of whoever made it.
///
/// # Errors
/// Those of write(2).
pub(crate) fn write_to(number: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: borrowed for this call only; if the number isn't open, the kernel says so.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(rustix::io::write(descriptor, bytes)?)
}
