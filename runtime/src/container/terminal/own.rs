//! The terminal that libcontainer made for a container's first process, checked and finished.
//!
//! libcontainer sends its master end over a socket, warns and goes on where the process doesn't get it for its
//! controlling terminal, knows no size, and leaves it to the container's root: another user couldn't open it
//! again by its name.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use nix::sched::{CloneFlags, setns};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{geteuid, setresgid, setresuid};
use oci_spec::runtime::Process;
use rustix::fs::{fchown, fstat, major, minor};
use rustix::net::RecvFlags;
use rustix::process::{Pid, PidfdFlags, Uid, pidfd_open};

use super::super::{Error, Result};
use super::{Console, pty};
use crate::kernel_file;
use crate::passing;
use crate::process_stat;
use crate::sys::fork_child;

/// The way on which the terminal comes.
#[derive(Debug)]
pub(in crate::container) struct OwnTerminal {
    ours: OwnedFd,
    theirs: OwnedFd,
}

impl OwnTerminal {
    /// Prepares it.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub(in crate::container) fn expect() -> Result<Self> {
        let (ours, theirs) =
            passing::pair().map_err(Error::step("make a socket for the terminal"))?;
        Ok(Self { ours, theirs })
    }

    /// The end for libcontainer, which the first process closes.
    pub(in crate::container) fn number(&self) -> RawFd {
        self.theirs.as_raw_fd()
    }

    /// The master end, when the first process `pid` has been made.
    ///
    /// # Errors
    /// Where it isn't what it should be, or not the process's controlling terminal.
    pub(in crate::container) fn take(
        self,
        pid: i32,
        process: &Process,
        console: &Console,
    ) -> Result<OwnedFd> {
        let failed = "take the terminal of the created process";
        let mut name = [0; 256];
        let (_, master) = passing::receive(&self.ours, &mut name, RecvFlags::DONTWAIT)
            .map_err(Error::step(failed))?;
        let none = || io::Error::other("it sent none");
        let master = master.ok_or_else(none).map_err(Error::step(failed))?;
        pty::check_master(&master).map_err(Error::step(failed))?;
        let slave = pty::slave_of(&master).map_err(Error::step(failed))?;
        controls(pid, &slave).map_err(Error::step(failed))?;
        give(&slave, pid, process.user().uid())
            .map_err(Error::step("give the terminal its owner"))?;
        console.set_first_size(&master, process)?;
        Ok(master)
    }
}

/// Refuses a terminal that isn't the controlling one of `pid`: no key would interrupt its command.
fn controls(pid: i32, slave: &OwnedFd) -> io::Result<()> {
    let device = fstat(slave)?.st_rdev;
    // proc(5): the minor number is in bits 31 to 20 and 7 to 0, the major one in bits 15 to 8.
    let (major, minor) = (i64::from(major(device)), i64::from(minor(device)));
    let expected = (minor & 0xff) | major << 8 | (minor >> 8) << 20;
    let text = kernel_file::read(format!("/proc/{pid}/stat"))?;
    let seen = process_stat::field(&text, 7).and_then(|field| field.parse().ok());
    if seen == Some(expected) {
        return Ok(());
    }
    Err(io::Error::other("it doesn't control the process"))
}

/// Makes `uid`, as the container counts, the owner of the terminal. In its user namespace, where there is
/// one, by a child: there is no way back from there.
fn give(slave: &OwnedFd, pid: i32, uid: u32) -> io::Result<()> {
    let owner = || Ok(fchown(slave, Some(Uid::from_raw(uid)), None)?);
    let identity = |who: &str| fs::metadata(format!("/proc/{who}/ns/user")).map(|file| file.ino());
    if identity(&pid.to_string())? == identity("self")? {
        return owner();
    }
    let gone = || io::Error::from_raw_os_error(libc::ESRCH);
    let process = pidfd_open(Pid::from_raw(pid).ok_or_else(gone)?, PidfdFlags::empty())?;
    let child = fork_child(|| {
        let given = || -> io::Result<()> {
            setns(&process, CloneFlags::CLONE_NEWUSER)?;
            setresgid(0.into(), 0.into(), 0.into())?;
            setresuid(0.into(), 0.into(), 0.into())?;
            owner()
        };
        given().map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0)
    })?;
    match waitpid(child, None)? {
        WaitStatus::Exited(_, 0) => Ok(()),
        // An ordinary user's mapping may hold too little for this; the command has the terminal open anyway.
        _ if !geteuid().is_root() => Ok(()),
        WaitStatus::Exited(_, errno) => Err(io::Error::from_raw_os_error(errno)),
        _ => Err(gone()),
    }
}
