//! What a worker gets along with its request, over the helper's socket.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Socket of the operation, three standard streams, and a console's socket.
const MOST: usize = 5;

/// The descriptors of a worker's standard streams, where they aren't /dev/null, and the socket over which a terminal
/// comes back.
#[derive(Debug, Default)]
pub struct Descriptors {
    /// Standard input, output and error; all or none.
    pub standard: Option<[OwnedFd; 3]>,
    /// The console's.
    pub console: Option<OwnedFd>,
}

/// What a worker gets.
#[derive(Debug)]
pub(super) struct Received {
    pub operation: OwnedFd,
    pub descriptors: Descriptors,
}

/// Sends them, with the socket of the operation first.
pub(super) fn send(
    control: &OwnedFd,
    operation: BorrowedFd<'_>,
    descriptors: &Descriptors,
) -> Result<(), Errno> {
    let mut all = vec![operation];
    all.extend(descriptors.standard.iter().flatten().map(AsFd::as_fd));
    all.extend(descriptors.console.iter().map(AsFd::as_fd));
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&all));
    let text = [u8::from(descriptors.standard.is_some())];
    let text = [IoSlice::new(&text)];
    retry_on_intr(|| sendmsg(control, &text, &mut ancillary, SendFlags::NOSIGNAL)).map(drop)
}

/// Receives them; `None` where the shim is gone.
pub(super) fn receive(control: &OwnedFd) -> Result<Option<Received>, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut text = [0];
    let received = retry_on_intr(|| {
        let into = &mut [IoSliceMut::new(&mut text)];
        recvmsg(control, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut all = vec![];
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            all.extend(descriptors);
        }
    }
    let mut all = all.into_iter();
    let operation = all.next().ok_or(Errno::BADMSG)?;
    let standard = match text {
        [0] => None,
        _ => match (all.next(), all.next(), all.next()) {
            (Some(input), Some(output), Some(error)) => Some([input, output, error]),
            _ => return Err(Errno::BADMSG),
        },
    };
    Ok(Some(Received {
        operation,
        descriptors: Descriptors {
            standard,
            console: all.next(),
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_descriptor_arrives_in_its_place() {
        let (ours, theirs) = runtime::passing::pair().unwrap();
        let file = || -> OwnedFd { tempfile::tempfile().unwrap().into() };
        let inode = |file: &OwnedFd| rustix::fs::fstat(file).unwrap().st_ino;
        let operation = file();
        for (has_standard, has_console) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let sent = Descriptors {
                standard: has_standard.then(|| [file(), file(), file()]),
                console: has_console.then(file),
            };
            send(&ours, operation.as_fd(), &sent).unwrap();
            let received = receive(&theirs).unwrap().unwrap();
            assert_eq!(inode(&received.operation), inode(&operation));
            let inodes = |all: &Descriptors| {
                let standard = all.standard.as_ref().map(|all| all.each_ref().map(inode));
                (standard, all.console.as_ref().map(inode))
            };
            assert_eq!(inodes(&received.descriptors), inodes(&sent));
        }
        drop(ours);
        assert!(receive(&theirs).unwrap().is_none());
    }
}
