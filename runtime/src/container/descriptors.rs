//! Sane standard descriptors, and none beyond them for a container to inherit.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use rustix::fs::{Mode, OFlags, open};

use super::{Error, Result};

/// Opens `/dev/null` on each of descriptors 0 to 2 that is closed (a file opened later would become one
/// of them), and marks every other descriptor close-on-exec.
///
/// # Errors
/// Where `/dev/null` or `/proc/self/fd` can't be opened.
pub fn make_descriptors_sane() -> Result<()> {
    loop {
        let null: OwnedFd = open("/dev/null", OFlags::RDWR, Mode::empty())
            .map_err(Error::step("open /dev/null"))?;
        if null.as_raw_fd() > 2 {
            break;
        }
        // It took a standard descriptor's place and stays there.
        std::mem::forget(null);
    }
    let entries = std::fs::read_dir("/proc/self/fd").map_err(Error::io("read", "/proc/self/fd"))?;
    let numbers: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // A descriptor that is gone by now (the directory's own) can't be inherited either.
        let _ = fcntl(number, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
    Ok(())
}
