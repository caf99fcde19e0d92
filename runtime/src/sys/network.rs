//! Network interfaces.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

// As wide as this C library's ioctl has them.
const GET_FLAGS: libc::Ioctl = libc::SIOCGIFFLAGS as libc::Ioctl;
const SET_FLAGS: libc::Ioctl = libc::SIOCSIFFLAGS as libc::Ioctl;

/// Brings the interface `lo` of this process's network namespace up. `socket` is any of that namespace's.
///
/// # Errors
/// Those of netdevice(7)'s ioctl(2).
pub(crate) fn bring_up_loopback(socket: impl AsFd) -> io::Result<()> {
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: 0 },
    };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    let number = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel reads the name and writes the flags, both within `request`.
    if unsafe { libc::ioctl(number, GET_FLAGS, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: flags are what the call has just put there.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    #[expect(clippy::cast_possible_truncation, reason = "0x1, in a C int")]
    let up = libc::IFF_UP as libc::c_short;
    request.ifr_ifru = libc::__c_anonymous_ifr_ifru {
        ifru_flags: flags | up,
    };
    // SAFETY: the kernel reads `request`.
    if unsafe { libc::ioctl(number, SET_FLAGS, &raw const request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
