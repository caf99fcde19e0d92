//! Bringing files to the disk: sync_file_range(2).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Has the kernel begin to write a part of a file to the disk. It waits for nothing, tells of no failure of the disk's,
/// and is no promise that anything is there: that is fsync's.
pub(crate) fn begin_writing(file: &File, from: u64, length: u64) -> io::Result<()> {
    let number = |number: u64| libc::off64_t::try_from(number).map_err(io::Error::other);
    let (from, length) = (number(from)?, number(length)?);
    // SAFETY: the call takes a descriptor, which is open for as long as it is borrowed, and numbers.
    let done = unsafe {
        libc::sync_file_range(file.as_raw_fd(), from, length, libc::SYNC_FILE_RANGE_WRITE)
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
