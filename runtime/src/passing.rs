//! Passing a descriptor over a socket of the local kind: unix(7).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Two connected sockets that keep messages apart.
///
/// # Errors
/// Those of socketpair(2).
pub fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
}

/// Connects to the socket at `path`, which may be longer than the 107 bytes that an address holds.
///
/// # Errors
/// Those of connect(2).
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let socket: OwnedFd = open(path, flags, Mode::empty())?;
    UnixStream::connect(format!("/proc/self/fd/{}", socket.as_raw_fd()))
}

/// Sends `text`, with a descriptor or without.
///
/// # Errors
/// `EPIPE` where the other end is gone; those of sendmsg(2).
pub fn send(
    socket: impl AsFd,
    text: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = descriptor.as_slice();
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let text = [IoSlice::new(text)];
    retry_on_intr(|| sendmsg(&socket, &text, &mut ancillary, SendFlags::NOSIGNAL)).map(drop)
}

/// Receives into `text`: how long it is (0 where the other end is gone) and the descriptor that came along,
/// which execve(2) closes.
///
/// # Errors
/// Those of recvmsg(2).
pub fn receive(
    socket: impl AsFd,
    text: &mut [u8],
    flags: RecvFlags,
) -> Result<(usize, Option<OwnedFd>), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let into = &mut [IoSliceMut::new(text)];
        recvmsg(
            &socket,
            into,
            &mut ancillary,
            flags | RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let mut descriptor = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptor = received.last();
        }
    }
    Ok((received.bytes, descriptor))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_descriptor_comes_along_with_its_text() {
        let (one, other) = pair().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let file = std::fs::File::open(&path).unwrap();
        send(&one, b"name", Some(file.as_fd())).unwrap();
        send(&one, b"nothing", None).unwrap();
        let mut text = [0; 16];
        let (length, descriptor) = receive(&other, &mut text, RecvFlags::empty()).unwrap();
        assert_eq!(&text[..length], b"name");
        let mut content = String::new();
        let mut copy = std::fs::File::from(descriptor.unwrap());
        copy.read_to_string(&mut content).unwrap();
        assert_eq!(content, "content");
        let (length, descriptor) = receive(&other, &mut text, RecvFlags::empty()).unwrap();
        assert_eq!(&text[..length], b"nothing");
        assert!(descriptor.is_none());
        assert_eq!(
            receive(&other, &mut text, RecvFlags::DONTWAIT).unwrap_err(),
            Errno::AGAIN
        );
        drop(one);
        assert_eq!(receive(&other, &mut text, RecvFlags::empty()).unwrap().0, 0);
    }
}
