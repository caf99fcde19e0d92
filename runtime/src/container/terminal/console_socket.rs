//! The socket over which an engine gets the terminal that it asked for: `--console-socket`.

use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::super::{Error, Result};
use crate::passing;
use crate::sys::duplicate;

/// What runc sends along as the terminal's name; conmon and containerd expect some.
const NAME: &[u8] = b"/dev/ptmx";

/// Where an engine waits for a terminal.
#[derive(Debug, Clone, Copy)]
pub(in crate::container) enum ConsoleAt<'a> {
    /// Behind the socket at this path.
    Path(&'a Path),
    /// Behind this socket, which is connected.
    Connected(RawFd),
}

impl<'a> ConsoleAt<'a> {
    /// The one that is given.
    pub(in crate::container) fn either(
        path: Option<&'a Path>,
        connected: Option<RawFd>,
    ) -> Option<Self> {
        path.map(Self::Path).or(connected.map(Self::Connected))
    }
}

/// A connected socket of the caller's.
#[derive(Debug)]
pub(in crate::container) struct ConsoleSocket {
    stream: UnixStream,
    path: PathBuf,
}

impl ConsoleSocket {
    /// The socket at `place`, connected.
    ///
    /// # Errors
    /// Where nobody listens there, or it isn't open.
    pub(in crate::container) fn open(place: ConsoleAt<'_>) -> Result<Self> {
        match place {
            ConsoleAt::Path(path) => Self::connect(path),
            ConsoleAt::Connected(number) => {
                let socket = duplicate(number).map_err(Error::step("use the console socket"))?;
                Ok(Self {
                    stream: socket.into(),
                    path: format!("descriptor {number}").into(),
                })
            }
        }
    }

    fn connect(path: &Path) -> Result<Self> {
        Ok(Self {
            stream: passing::connect(path).map_err(Error::io("connect to console socket", path))?,
            path: path.to_path_buf(),
        })
    }

    /// Sends the master end of the terminal.
    ///
    /// # Errors
    /// Where the other side is gone.
    pub(in crate::container) fn send(&self, master: &OwnedFd) -> Result<()> {
        passing::send(&self.stream, NAME, Some(master.as_fd()))
            .map_err(|errno| Error::io("send to console socket", &self.path)(errno.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{Mode, OFlags, open};
    use rustix::net::RecvFlags;

    use super::*;

    #[test]
    fn a_descriptor_is_sent_to_a_socket_with_a_long_path() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let opened = open(&deep, flags, Mode::empty()).unwrap();
        let short = format!("/proc/self/fd/{}/socket", opened.as_raw_fd());
        let listener = UnixListener::bind(short).unwrap();
        let socket = ConsoleSocket::connect(&deep.join("socket")).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        socket.send(&opened).unwrap();
        let mut text = [0; 64];
        let (length, descriptor) =
            passing::receive(&accepted, &mut text, RecvFlags::empty()).unwrap();
        assert_eq!(&text[..length], NAME);
        assert!(descriptor.is_some());
        drop((accepted, listener));
        ConsoleSocket::connect(&deep.join("socket")).unwrap_err();
        ConsoleSocket::connect(&deep.join("absent")).unwrap_err();
    }
}
