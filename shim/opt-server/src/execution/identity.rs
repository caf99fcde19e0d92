//! Who an execution is, for as long as it runs.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bundles::opt_server::Identity;
use bundles::opt_server::config::IdRange;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::{getegid, geteuid};
use runtime::container;
use rustix::fs::{Mode, OFlags, fstat, open};

/// In which executions of this host claim ids of a configured range, whatever store or server they belong to: a
/// lock on the bytes with the ids' own numbers. In `/run`, where only root may put anything.
const CLAIMS: &str = "/run/opt-server-ids.lock";

/// An identity, and the claim on its ids, which ends with this process and its children.
#[derive(Debug)]
pub struct Claimed {
    /// Who the command is.
    pub identity: Identity,
    _claim: Option<File>,
}

/// An identity for an execution in `project`: for root one of its own, with ids from `range` or, without one,
/// from the default range, in which this process's pid is its claim.
///
/// # Errors
/// Where the project can't be looked at, or all ids of the range are in use.
pub fn claim(project: &Path, range: Option<IdRange>) -> Result<Claimed> {
    let caller = (geteuid().as_raw(), getegid().as_raw());
    let about = || format!("project {}", project.display());
    let mut identity =
        Identity::for_caller(caller, std::process::id(), project).with_context(about)?;
    if !geteuid().is_root() {
        return Ok(Claimed {
            identity,
            _claim: None,
        });
    }
    if !container::maps_ids(project).with_context(about)? {
        identity = identity.lent();
    }
    let Some(range) = range else {
        return Ok(Claimed {
            identity,
            _claim: None,
        });
    };
    let file = open_claims().context(CLAIMS)?;
    let slot = free_slot(&file, range).context("identity")?;
    Ok(Claimed {
        identity: identity.in_range(range, slot),
        _claim: Some(file),
    })
}

fn open_claims() -> Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(CLAIMS, flags, Mode::RUSR | Mode::WUSR)?;
    if fstat(&file)?.st_uid != 0 {
        bail!("it isn't root's");
    }
    Ok(file.into())
}

/// The first slot that nobody has, from one on that differs from process to process.
fn free_slot(claims: &File, range: IdRange) -> Result<u32> {
    let slots = Identity::slots(range);
    let begin = std::process::id();
    for number in 0..slots {
        let slot = begin.wrapping_add(number) % slots;
        let (first, count) = Identity::ids(range, slot);
        if lock(claims, first, count)? {
            return Ok(slot);
        }
    }
    bail!(
        "all ids from {} on are in use, enough for {slots} executions at once; hint: more \"ids\"",
        range.first
    );
}

/// A lock of the open file, which a fork shares: it holds while any of this execution's processes lives.
fn lock(claims: &File, first: u32, count: u32) -> Result<bool> {
    let range = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: first.into(),
        l_len: count.into(),
        l_pid: 0,
    };
    match fcntl(claims.as_raw_fd(), FcntlArg::F_OFD_SETLK(&range)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
