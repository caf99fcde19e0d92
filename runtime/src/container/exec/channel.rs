//! What the runtime and the process that it makes tell each other: its pid, that it is ready, its terminal,
//! and that it may execute.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::passing;
use rustix::io::Errno;
use rustix::net::RecvFlags;

/// A message; those below go from the process to the runtime, but for [`Message::Go`].
#[derive(Debug)]
pub(super) enum Message {
    /// The master end of the terminal that the process is to have.
    Terminal(OwnedFd),
    /// The process has been made and has this pid.
    Pid(i32),
    /// It has become what it is to be, and waits.
    Ready,
    /// It may execute its command.
    Go,
}

/// One end. A message is sent and comes whole.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// Both ends.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub(super) fn pair() -> Result<(Self, Self), Errno> {
        let (one, other) = passing::pair()?;
        Ok((Self(one), Self(other)))
    }

    /// Sends `message`.
    ///
    /// # Errors
    /// `EPIPE` where the other end is gone.
    pub(super) fn send(&self, message: &Message) -> Result<(), Errno> {
        let (text, descriptor) = match message {
            Message::Pid(pid) => ([&b"p"[..], &pid.to_ne_bytes()].concat(), None),
            Message::Terminal(master) => (b"t".to_vec(), Some(master)),
            Message::Ready => (b"r".to_vec(), None),
            Message::Go => (b"g".to_vec(), None),
        };
        passing::send(&self.0, &text, descriptor.map(AsFd::as_fd))
    }

    /// The next message; `None` where the other end is gone.
    ///
    /// # Errors
    /// `EBADMSG` for what is no message.
    pub(super) fn receive(&self) -> Result<Option<Message>, Errno> {
        let mut text = [0; 8];
        let (length, descriptor) = passing::receive(&self.0, &mut text, RecvFlags::empty())?;
        match text.get(..length) {
            Some([]) => Ok(None),
            Some([b'p', pid @ ..]) => {
                let pid = pid.try_into().map_err(|_| Errno::BADMSG)?;
                Ok(Some(Message::Pid(i32::from_ne_bytes(pid))))
            }
            Some(b"t") => descriptor.map_or(Err(Errno::BADMSG), |master| {
                Ok(Some(Message::Terminal(master)))
            }),
            Some(b"r") => Ok(Some(Message::Ready)),
            Some(b"g") => Ok(Some(Message::Go)),
            _ => Err(Errno::BADMSG),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_as_they_were_sent() {
        let (one, other) = Channel::pair().unwrap();
        let descriptor = one.0.try_clone().unwrap();
        one.send(&Message::Pid(-7)).unwrap();
        one.send(&Message::Terminal(descriptor)).unwrap();
        one.send(&Message::Ready).unwrap();
        one.send(&Message::Go).unwrap();
        assert!(matches!(other.receive(), Ok(Some(Message::Pid(-7)))));
        assert!(matches!(other.receive(), Ok(Some(Message::Terminal(_)))));
        assert!(matches!(other.receive(), Ok(Some(Message::Ready))));
        assert!(matches!(other.receive(), Ok(Some(Message::Go))));
        drop(one);
        assert!(matches!(other.receive(), Ok(None)));
        assert_eq!(other.send(&Message::Go), Err(Errno::PIPE));
    }
}
