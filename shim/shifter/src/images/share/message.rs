//! What keepers are asked, and what they answer: one packet each way.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The longest packet, bytes: a path and some.
const LONGEST: usize = 8192;

/// What a keeper is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// A mount; the connection holds the image.
    Hold,
    /// What is kept, and for whom.
    Tell,
    /// To hold the image for a place where it is mounted, after the connection ends.
    Keep(String),
    /// No longer to do so.
    Drop(String),
}

impl Request {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.split_once(' ') {
            None if text == "hold" => Self::Hold,
            None if text == "tell" => Self::Tell,
            Some(("keep", place)) => Self::Keep(place.to_owned()),
            Some(("drop", place)) => Self::Drop(place.to_owned()),
            _ => return None,
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Hold => "hold".to_owned(),
            Self::Tell => "tell".to_owned(),
            Self::Keep(place) => format!("keep {place}"),
            Self::Drop(place) => format!("drop {place}"),
        }
    }
}

/// Asks a keeper: its text, and the mount where that is what it was asked for.
///
/// # Errors
/// Those of the socket; `UnexpectedEof` where the keeper ended instead.
pub(super) fn ask(keeper: impl AsFd, request: &Request) -> io::Result<(String, Option<OwnedFd>)> {
    send(&keeper, &request.text(), None)?;
    receive(keeper)
}

/// The next request of a connection; none at its end, or where it sends what is none.
pub(super) fn next_request(connection: impl AsFd) -> Option<Request> {
    let (text, _) = receive(connection).ok()?;
    Request::parse(&text)
}

/// Sends one packet.
///
/// # Errors
/// Those of sendmsg(2).
pub(super) fn send(to: impl AsFd, text: &str, mount: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = mount.into_iter().collect();
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    let pieces = [IoSlice::new(text.as_bytes())];
    sendmsg(to, &pieces, &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(from: impl AsFd) -> io::Result<(String, Option<OwnedFd>)> {
    let mut buffer = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut pieces = [IoSliceMut::new(&mut buffer)];
    let received = recvmsg(from, &mut pieces, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        })
        .next();
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = String::from_utf8_lossy(&buffer[..received.bytes]).into_owned();
    Ok((text, descriptor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_are_written() {
        let place = "/a place/with blanks".to_owned();
        for request in [
            Request::Hold,
            Request::Tell,
            Request::Keep(place.clone()),
            Request::Drop(place),
        ] {
            assert_eq!(Request::parse(&request.text()), Some(request));
        }
        for text in ["", "hold on", "holds", "keep", "telling"] {
            assert_eq!(Request::parse(text), None, "{text}");
        }
    }
}
