//! Who is at the other end of a socket: unix(7).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// The process that connected, or that listened, as this one sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// 0 for one outside of this process's pid namespace.
    pub pid: i32,
    pub uid: u32,
}

/// Who is at the other end of `socket`.
///
/// # Errors
/// Those of getsockopt(2).
pub(crate) fn peer_of(socket: impl AsFd) -> io::Result<Peer> {
    let mut found = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = libc::socklen_t::try_from(size_of_val(&found)).unwrap_or(0);
    // SAFETY: the kernel writes at most `length` bytes, a whole ucred, to an address that lives through the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut length,
        )
    };
    match result {
        0 => Ok(Peer {
            pid: found.pid,
            uid: found.uid,
        }),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_other_end_of_a_pair_is_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = peer_of(&one).unwrap();
        assert_eq!(peer.pid, nix::unistd::getpid().as_raw());
        assert_eq!(peer.uid, nix::unistd::geteuid().as_raw());
    }
}
