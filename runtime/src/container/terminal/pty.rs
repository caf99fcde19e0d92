//! Pseudoterminals in a container's own devpts: pty(7).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    CWD, FileType, FsWord, Mode, OFlags, ResolveFlags, fstat, fstatfs, major, minor, openat2,
};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// `DEVPTS_SUPER_MAGIC` of linux/magic.h.
const DEVPTS_MAGIC: FsWord = 0x1cd1;

/// The major and minor number of `/dev/ptmx`, and its inode in every devpts (the kernel's fs/devpts/inode.c).
const MULTIPLEXER: (u32, u32, u64) = (5, 2, 2);

/// The major numbers of the other ends (the kernel's devices.txt).
const SLAVES: std::ops::RangeInclusive<u32> = 136..=143;

/// Opens a new pseudoterminal: the end of whoever sits before it. Call inside the container.
///
/// What the container put in the place of a devpts, or over its entries, is not followed (CVE-2025-52565).
///
/// # Errors
/// Where `/dev/pts` is no devpts, or has no entry that may be opened.
pub(in crate::container) fn open_inside() -> io::Result<OwnedFd> {
    let plain = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let path_only = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let none = || io::Error::other("/dev/pts is no devpts, which a terminal needs");
    let directory =
        openat2(CWD, "/dev/pts", path_only, Mode::empty(), plain).map_err(|_| none())?;
    // Looked at before anything is opened: to open a device or a FIFO can do things.
    if !is_devpts(directory.as_fd())? {
        return Err(none());
    }
    let master = openat2(
        &directory,
        "ptmx",
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
        plain | ResolveFlags::BENEATH | ResolveFlags::NO_XDEV,
    )?;
    check_master(&master)?;
    unlockpt(&master)?;
    Ok(master)
}

/// Refuses what isn't the master end of a pseudoterminal.
///
/// # Errors
/// What it is instead.
pub(in crate::container) fn check_master(master: &OwnedFd) -> io::Result<()> {
    let stat = fstat(master)?;
    let is_multiplexer = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && (major(stat.st_rdev), minor(stat.st_rdev), stat.st_ino) == MULTIPLEXER;
    if is_multiplexer && is_devpts(master.as_fd())? {
        return Ok(());
    }
    Err(io::Error::other("not the master end of a pseudoterminal"))
}

/// The other end, which the command gets: from the master itself and not by its name, which could lead to
/// anything (CVE-2025-52565).
///
/// # Errors
/// Those of `TIOCGPTPEER`, ioctl_tty(2).
pub(in crate::container) fn slave_of(master: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = ioctl_tiocgptpeer(master, flags)?;
    let stat = fstat(&slave)?;
    if !SLAVES.contains(&major(stat.st_rdev)) || !is_devpts(slave.as_fd())? {
        return Err(io::Error::other("not an end of a pseudoterminal"));
    }
    Ok(slave)
}

/// Sets the size of the terminal; a process in it is told by SIGWINCH.
///
/// # Errors
/// Those of ioctl_tty(2).
pub(in crate::container) fn set_size(master: impl AsFd, rows: u16, columns: u16) -> io::Result<()> {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(tcsetwinsize(master, size)?)
}

fn is_devpts(file: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(fstatfs(file)?.f_type == DEVPTS_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudoterminal_is_told_from_anything_else() {
        let master = open_inside().unwrap();
        check_master(&master).unwrap();
        let slave = slave_of(&master).unwrap();
        set_size(&master, 12, 34).unwrap();
        let size = rustix::termios::tcgetwinsize(&slave).unwrap();
        assert_eq!((size.ws_row, size.ws_col), (12, 34));
        check_master(&slave).unwrap_err();
        for path in ["/dev/null", "/proc/self/stat"] {
            let other = std::fs::File::open(path).unwrap();
            check_master(&other.into()).unwrap_err();
        }
    }
}
