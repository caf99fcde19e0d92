//! What a namespace tells of itself: ioctl_ns(2).

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

const NS_GET_USERNS: libc::Ioctl = 0xb701;
const NS_GET_PARENT: libc::Ioctl = 0xb702;
const NS_GET_OWNER_UID: libc::Ioctl = 0xb704;

/// The user namespace that `namespace` belongs to.
///
/// # Errors
/// `EPERM` where it isn't this process's own, or below it.
pub(crate) fn user_namespace_of(namespace: impl AsFd) -> io::Result<OwnedFd> {
    related(namespace, NS_GET_USERNS)
}

/// The pid or user namespace in which `namespace`, one of the same kind, was made.
///
/// # Errors
/// `EPERM` where it isn't this process's own, or below it.
pub(crate) fn parent_of(namespace: impl AsFd) -> io::Result<OwnedFd> {
    related(namespace, NS_GET_PARENT)
}

/// The uid of who made a user namespace, as this process's own has it.
///
/// # Errors
/// `EINVAL` where it isn't one.
pub(crate) fn owner_of(user_namespace: impl AsFd) -> io::Result<u32> {
    let number = user_namespace.as_fd().as_raw_fd();
    let mut uid: libc::uid_t = 0;
    // SAFETY: the descriptor is open, and the kernel writes one uid_t at the address, which lives through the call.
    match unsafe { libc::ioctl(number, NS_GET_OWNER_UID, &raw mut uid) } {
        0 => Ok(uid),
        _ => Err(io::Error::last_os_error()),
    }
}

fn related(namespace: impl AsFd, which: libc::Ioctl) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is open, and these requests take no argument.
    match unsafe { libc::ioctl(namespace.as_fd().as_raw_fd(), which) } {
        // SAFETY: the descriptor is new, and nobody else's.
        number @ 0.. => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_namespace_tells_whose_it_is() {
        let user = File::open("/proc/self/ns/user").unwrap();
        let pid = File::open("/proc/self/ns/pid").unwrap();
        assert!(owner_of(&user).is_ok());
        assert_eq!(
            owner_of(&pid).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
        let of_pid = user_namespace_of(&pid);
        // Another one's where the tests run in a user namespace that was made later.
        if let Ok(of_pid) = of_pid {
            assert!(owner_of(of_pid).is_ok());
        }
        assert!(parent_of(&pid).is_err());
    }
}
