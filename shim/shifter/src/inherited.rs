//! What a process manager gives each task of a parallel program: variables, and with PMI-1 and PMI-2 an open socket.

use std::os::unix::fs::FileTypeExt;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::dup2;

use crate::sys::set_variable;

/// Names the socket's descriptor.
const PMI_FD: &str = "PMI_FD";

/// Where the command has it: the first that an OCI runtime passes on.
const PLACE: i32 = 3;

/// Whether this process was given such a socket, which is at [`PLACE`] then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inherited(bool);

impl Inherited {
    /// Takes the socket that `PMI_FD` names, if it is one, and nothing else. To be called before anything is opened.
    pub fn take() -> Self {
        let named = std::env::var(PMI_FD).ok();
        let number = named.and_then(|text| text.parse().ok());
        let Some(number) = number.filter(|number: &i32| *number >= PLACE && is_socket(*number))
        else {
            return Self(false);
        };
        if number != PLACE && dup2(number, PLACE).is_err() {
            return Self(false);
        }
        set_variable(PMI_FD, &PLACE.to_string());
        Self(true)
    }

    /// How many descriptors from 3 on that are.
    pub fn count(self) -> u16 {
        u16::from(self.0)
    }

    /// Keeps it from programs that this process starts, until it is [passed on](Self::pass_on).
    pub fn withhold(self) {
        self.mark(FdFlag::FD_CLOEXEC);
    }

    /// Has the command get it, if the command's variables say so. How many descriptors from 3 on that are.
    pub fn pass_on(self, environment: &[String]) -> u16 {
        let said = format!("{PMI_FD}={PLACE}");
        if !environment.contains(&said) {
            return 0;
        }
        self.mark(FdFlag::empty());
        self.count()
    }

    fn mark(self, flags: FdFlag) {
        if self.0 {
            // It is open.
            let _ = fcntl(PLACE, FcntlArg::F_SETFD(flags));
        }
    }
}

/// A file or directory of the host's is no process manager, whatever the variable says.
fn is_socket(number: i32) -> bool {
    let found = std::fs::metadata(format!("/proc/self/fd/{number}"));
    found.is_ok_and(|found| found.file_type().is_socket())
}
