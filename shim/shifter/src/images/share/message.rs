//! What keepers are asked, and what they answer: one packet each way.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use runtime::passing;
use rustix::net::RecvFlags;

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
    Ok(passing::send(to, text.as_bytes(), mount)?)
}

fn receive(from: impl AsFd) -> io::Result<(String, Option<OwnedFd>)> {
    let mut buffer = vec![0; LONGEST];
    let (length, descriptor) = passing::receive(from, &mut buffer, RecvFlags::empty())?;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
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
