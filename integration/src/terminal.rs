//! A real pseudoterminal, for programs that need one.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::pty::openpty;
use nix::unistd::setsid;

/// The two ends of a pseudoterminal.
#[derive(Debug)]
pub struct Terminal {
    /// The end of whoever sits before it.
    pub master: File,
    slave: OwnedFd,
}

impl Terminal {
    /// Opens one.
    pub fn open() -> Self {
        let pair = openpty(None, None).expect("a pseudoterminal");
        Self {
            master: pair.master.into(),
            slave: pair.slave,
        }
    }

    /// Lets `command` begin a session with this as its controlling terminal and standard input.
    pub fn control(&self, command: &mut Command) {
        let copy = self.slave.try_clone().expect("a copy");
        command.stdin(Stdio::from(copy));
        // SAFETY: between fork and exec only two system calls are made, which allocate nothing.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                take_terminal(0)
            });
        }
    }

    /// Another descriptor of the end of whoever runs in it.
    pub fn slave(&self) -> OwnedFd {
        self.slave.try_clone().expect("a copy")
    }

    /// The terminal's descriptor.
    pub fn number(&self) -> i32 {
        self.slave.as_raw_fd()
    }
}

fn take_terminal(number: i32) -> std::io::Result<()> {
    // SAFETY: the request takes an integer and reads no memory.
    match unsafe { libc::ioctl(number, libc::TIOCSCTTY, 0) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
