//! Descriptors known by number only.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

/// Reads from a descriptor that crossed a fork as a number to its end.
///
/// # Errors
/// Those of read(2).
pub(crate) fn read_from(number: RawFd) -> io::Result<Vec<u8>> {
    // SAFETY: borrowed for this call only; if the number isn't open, the kernel says so.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    let mut all = vec![];
    let mut piece = [0; 4096];
    loop {
        match rustix::io::retry_on_intr(|| rustix::io::read(descriptor, &mut piece))? {
            0 => return Ok(all),
            length => all.extend_from_slice(piece.get(..length).unwrap_or_default()),
        }
    }
}

/// Another descriptor of what `number` is open on, which execve(2) closes.
///
/// # Errors
/// Those of fcntl(2).
pub(crate) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: borrowed for this call only; if the number isn't open, the kernel says so.
    unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()
}

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
