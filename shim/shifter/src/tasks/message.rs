//! What keepers of tasks are asked, and what they answer: one packet each way.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use runtime::passing;
use rustix::net::RecvFlags;

/// What a keeper is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// The user namespace in which containers are made by who has no root, if there is one.
    Outer,
    /// The user namespace that the tasks share.
    User,
    /// The pid namespace that they share.
    Pid,
    /// To end what a task that has ended left running.
    Sweep,
}

impl Request {
    const ALL: [Self; 4] = [Self::Outer, Self::User, Self::Pid, Self::Sweep];

    fn text(self) -> &'static str {
        match self {
            Self::Outer => "outer",
            Self::User => "user",
            Self::Pid => "pid",
            Self::Sweep => "sweep",
        }
    }
}

/// Asks a keeper; a descriptor, where that is what it was asked for.
///
/// # Errors
/// Those of the socket; `UnexpectedEof` where the keeper ended instead.
pub(super) fn ask(keeper: impl AsFd, request: Request) -> io::Result<Option<OwnedFd>> {
    passing::send(&keeper, request.text().as_bytes(), None)?;
    let mut answer = [0; 16];
    let (length, descriptor) = passing::receive(keeper, &mut answer, RecvFlags::empty())?;
    match length {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(descriptor),
    }
}

/// The next request of a connection; none at its end, or where it sends what is none.
pub(super) fn next_request(connection: impl AsFd) -> Option<Request> {
    let mut text = [0; 16];
    let (length, _) = passing::receive(connection, &mut text, RecvFlags::DONTWAIT).ok()?;
    let text = text.get(..length)?;
    let mut all = Request::ALL.into_iter();
    all.find(|request| request.text().as_bytes() == text)
}

/// Answers one.
///
/// # Errors
/// Those of sendmsg(2).
pub(super) fn answer(to: impl AsFd, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    Ok(passing::send(to, b"done", descriptor)?)
}
