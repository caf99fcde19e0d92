//! Sane standard descriptors, and none beyond them for a container to inherit.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::stat::fstat;
use nix::unistd::dup3;
use rustix::fs::{Dir, Mode, OFlags, open};

use super::guardian::early;
use super::{Error, Result};
use crate::own_executable;
use crate::sys::{close_descriptors_from, close_on_exec_from};

/// Opens `/dev/null` on each of descriptors 0 to 2 that is closed (a file opened later would become one
/// of them), and marks every other descriptor close-on-exec but the `preserved` ones from 3 on. This program's
/// second execution, of which there may have been no first that marked anything, closes them instead, but for
/// those that its arguments name: a supervisor must not hold open what its caller has closed.
///
/// Call before anything is opened: what the caller wants preserved must be the caller's.
///
/// # Errors
/// Where `/dev/null` can't be opened, or a descriptor to preserve isn't open.
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
    if own_executable::is_second() {
        let mut named: Vec<RawFd> = own_executable::named_descriptors().collect();
        named.extend(early::descriptor());
        close_descriptors_from(first_closed, &mut named)
            .map_err(Error::step("close what the caller has left open"))?;
    }
    close_on_exec_from(first_closed).map_err(Error::step("mark what the caller has left open"))
}

/// Has every descriptor that the runtime still has open in the created process lead to `/dev/null`, but for sockets, pipes
/// and what has no file: through `/proc/PID/fd` others could go on from a directory, and open a file once more. They stay
/// open, for whoever owns them closes them once.
///
/// # Errors
/// Where `/dev/null` or `/proc/self/fd` can't be opened.
pub(super) fn lead_nowhere() -> io::Result<()> {
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    for number in open_numbers()?.into_iter().filter(|number| *number > 2) {
        let status = fstat(number)?;
        if ![libc::S_IFSOCK, libc::S_IFIFO, 0].contains(&(status.st_mode & libc::S_IFMT)) {
            dup3(null.as_raw_fd(), number, OFlag::O_CLOEXEC).or_else(|errno| match errno {
                // It is that one itself.
                nix::errno::Errno::EINVAL => Ok(number),
                other => Err(other),
            })?;
        }
    }
    Ok(())
}

/// The descriptors that are open here, but for the one by which this looks.
pub(super) fn open_numbers() -> io::Result<Vec<RawFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open("/proc/self/fd", flags, Mode::empty())?;
    let own = directory.as_raw_fd();
    let mut numbers = vec![];
    for entry in Dir::new(directory)? {
        // The directory itself and the one above have names.
        let entry = entry?;
        let name = entry.file_name().to_str();
        let number: Option<RawFd> = name.ok().and_then(|name| name.parse().ok());
        numbers.extend(number.filter(|number| *number != own));
    }
    Ok(numbers)
}
