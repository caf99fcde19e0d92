//! An engine's side of `--console-socket`, which the tests play.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Instant;

use integration::Bench;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::SOON;

/// An engine's side of `--console-socket`.
pub(super) struct Engine {
    listener: UnixListener,
    path: PathBuf,
}

impl Engine {
    pub(super) fn on(bench: &Bench, name: &str) -> Self {
        let path = bench.path(name);
        Self {
            listener: UnixListener::bind(&path).expect("bind"),
            path,
        }
    }

    pub(super) fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// The terminal that was sent, and what came along as its name.
    pub(super) fn receive(&self) -> (Screen, String) {
        let (stream, _) = self.listener.accept().expect("a connection");
        let mut text = [0; 256];
        let mut into = [std::io::IoSliceMut::new(&mut text)];
        let mut space = nix::cmsg_space!(RawFd);
        let message = recvmsg::<()>(
            stream.as_raw_fd(),
            &mut into,
            Some(&mut space),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )
        .expect("a message");
        let length = message.bytes;
        let descriptor =
            message
                .cmsgs()
                .expect("control messages")
                .find_map(|message| match message {
                    ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
                    _ => None,
                });
        // SAFETY: just received, and nobody else's.
        let master = unsafe { File::from_raw_fd(descriptor.expect("a descriptor")) };
        let name = String::from_utf8_lossy(&text[..length]).into_owned();
        let unread = String::new();
        (Screen { master, unread }, name)
    }
}

/// What an engine does with a terminal.
pub(super) struct Screen {
    master: File,
    unread: String,
}

impl Screen {
    pub(super) fn types(&mut self, text: &str) -> &mut Self {
        self.master.write_all(text.as_bytes()).expect("type");
        self
    }

    /// Reads until `text` has been shown.
    #[track_caller]
    pub(super) fn waits_for(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(at) = self.unread.find(text) {
                self.unread.drain(..at + text.len());
                return self;
            }
            assert!(
                Instant::now() < deadline,
                "no {text:?} in {:?}",
                self.unread
            );
            let mut waiting = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            if poll(&mut waiting, 100_u8).expect("poll") == 0 {
                continue;
            }
            let mut buffer = [0; 4096];
            let length = match self.master.read(&mut buffer) {
                Ok(length) => length,
                Err(error) => panic!("{error}: no {text:?} in {:?}", self.unread),
            };
            self.unread
                .push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    }
}
