//! Sane standard descriptors, and none beyond them for a container to inherit.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::close;
use rustix::fs::{Mode, OFlags, open};

use super::{Error, Result};
use crate::own_executable;

/// Opens `/dev/null` on each of descriptors 0 to 2 that is closed (a file opened later would become one
/// of them), and marks every other descriptor close-on-exec but the `preserved` ones from 3 on. This program's
/// second execution, of which there may have been no first that marked anything, closes them instead, but for
/// those that its arguments name: a supervisor must not hold open what its caller has closed.
///
/// Call before anything is opened: what the caller wants preserved must be the caller's.
///
/// # Errors
/// Where `/dev/null` or `/proc/self/fd` can't be opened, or a descriptor to preserve isn't open.
pub(crate) fn make_descriptors_sane(preserved: u16) -> Result<()> {
    let first_closed = 3 + i32::from(preserved);
    for number in 3..first_closed {
        fcntl(number, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|errno| {
            let path = format!("/proc/self/fd/{number}");
            Error::io("preserve", path)(errno.into())
        })?;
    }
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
    let named: Vec<i32> = own_executable::named_descriptors().collect();
    let closes = own_executable::is_second();
    for number in numbers.into_iter().filter(|number| *number >= first_closed) {
        // A descriptor that is gone by now (the directory's own) can't be inherited either.
        if closes && !named.contains(&number) {
            let _ = close(number);
        } else {
            let _ = fcntl(number, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
        }
    }
    Ok(())
}
