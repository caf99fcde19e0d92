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
    claim: Option<Claim>,
}

/// A slot of a configured range.
#[derive(Debug)]
struct Claim {
    range: IdRange,
    slot: u32,
    _file: File,
}

/// An identity for an execution in `project`: for root one of its own, with ids from `range` or, without one,
/// from the default range, in which this process's pid is its claim.
///
/// # Errors
/// Where the project can't be looked at, or all ids of the range are in use.
pub fn claim(project: &Path, range: Option<IdRange>) -> Result<Claimed> {
    let identity = of_caller(project)?;
    claim_for(identity, range)
}

/// Likewise without a project, which comes later: [`Claimed::with_project`].
///
/// # Errors
/// As [`claim`]; for whoever isn't root, who has no ids to give.
pub fn claim_ahead(range: Option<IdRange>) -> Result<Claimed> {
    if !geteuid().is_root() {
        bail!("only root can make a sandbox ready before anybody asks for it");
    }
    claim_for(Identity::own(std::process::id(), 0, 0), range)
}

impl Claimed {
    /// The identity for an execution in `project`, with the ids that are claimed.
    ///
    /// # Errors
    /// Where the project can't be looked at.
    pub fn with_project(&self, project: &Path, called: u32) -> Result<Identity> {
        let identity = of_caller_called(project, called)?;
        Ok(match &self.claim {
            Some(claim) => identity.in_range(claim.range, claim.slot),
            None => identity,
        })
    }
}

fn of_caller(project: &Path) -> Result<Identity> {
    of_caller_called(project, std::process::id())
}

/// `called`: the process that was called, whose pid is its claim where no range is configured.
fn of_caller_called(project: &Path, called: u32) -> Result<Identity> {
    let caller = (geteuid().as_raw(), getegid().as_raw());
    let about = || format!("project {}", project.display());
    let identity = Identity::for_caller(caller, called, project).with_context(about)?;
    if geteuid().is_root() && !container::maps_ids(project).with_context(about)? {
        return Ok(identity.lent());
    }
    Ok(identity)
}

fn claim_for(identity: Identity, range: Option<IdRange>) -> Result<Claimed> {
    let range = range.filter(|_| geteuid().is_root());
    let Some(range) = range else {
        return Ok(Claimed {
            identity,
            claim: None,
        });
    };
    let file = open_claims().context(CLAIMS)?;
    let slot = free_slot(&file, range).context("identity")?;
    Ok(Claimed {
        identity: identity.in_range(range, slot),
        claim: Some(Claim {
            range,
            slot,
            _file: file,
        }),
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
