//! What a program may still do that reads a file system which a stranger made: read that file and what is below `/usr`,
//! write below one directory, and nothing else. No file of anybody's, no network, no other process, no namespace.
//!
//! The kernel's Landlock (5.13 and newer) says which files, a seccomp filter which system calls; neither takes a privilege.

mod calls;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use crate::sys;

/// Where programs and their libraries are.
const PROGRAMS: [&str; 6] = [
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc/ld.so.cache",
];

/// Most memory that it may map, bytes: what an image says of its blocks is a stranger's word.
const MEMORY: u64 = 4 << 30;

/// Flags of clone(2) that make namespaces.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// Why there is no sandbox. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The kernel hasn't what it takes, or a path isn't there.
    #[error(
        "no sandbox for file systems of users: {0}; hint: it takes Landlock (Linux 5.13, \"landlock\" in /sys/kernel/security/lsm)"
    )]
    Landlock(#[from] RulesetError),
    /// Likewise.
    #[error("no sandbox for file systems of users: {0}")]
    Path(#[from] landlock::PathFdError),
    /// The filter can't be made.
    #[error("no sandbox for file systems of users: {0}")]
    Seccomp(#[from] seccompiler::BackendError),
    /// This machine isn't known to the filter.
    #[error("no sandbox for file systems of users: no system calls are known of {0}")]
    Machine(&'static str),
    /// Anything else.
    #[error("no sandbox for file systems of users: {0}")]
    Io(#[from] io::Error),
}

/// The restrictions, ready to be put upon a program.
#[derive(Debug)]
pub struct Sandbox {
    ruleset: OwnedFd,
    filter: BpfProgram,
    /// As large as a file may become that it writes, bytes.
    largest: u64,
}

impl Sandbox {
    /// For a program that reads `image`, and writes below `into`, which is there, no file larger than `largest` bytes.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub fn new(image: &File, into: &Path, largest: u64) -> Result<Self, SandboxError> {
        let ruleset: Option<OwnedFd> = rules(image, into)?.into();
        let ruleset = ruleset.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
        let filter = filter()?;
        Ok(Self {
            ruleset,
            filter,
            largest,
        })
    }

    /// Puts it upon what `command` will start.
    pub(crate) fn confine(self, command: &mut Command) {
        sys::confine(command, self.ruleset, self.filter, self.largest, MEMORY);
    }
}

fn rules(image: &File, into: &Path) -> Result<RulesetCreated, SandboxError> {
    let least = AccessFs::from_all(ABI::V1);
    let created = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(least)?
        // What newer kernels can take away besides.
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))?
        .handle_access(AccessNet::from_all(ABI::V4))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?;
    let mut rules = created
        .add_rule(PathBeneath::new(image.as_fd(), AccessFs::ReadFile))?
        .add_rule(PathBeneath::new(PathFd::new(into)?, in_tree()))?;
    for path in PROGRAMS {
        if let Ok(place) = PathFd::new(path) {
            let read = match Path::new(path).is_dir() {
                true => AccessFs::from_read(ABI::V1),
                false => AccessFs::ReadFile.into(),
            };
            rules = rules.add_rule(PathBeneath::new(place, read))?;
        }
    }
    Ok(rules)
}

/// All kinds of files but devices. Pipes and sockets are cleaned away, but a program that can't make one fails.
fn in_tree() -> BitFlags<AccessFs> {
    let devices = AccessFs::MakeChar | AccessFs::MakeBlock;
    AccessFs::from_all(ABI::V5) & !devices & !AccessFs::Execute & !AccessFs::IoctlDev
}

/// What isn't in it isn't there (ENOSYS): programs and libraries know what to do then.
fn filter() -> Result<BpfProgram, SandboxError> {
    let no_namespace = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(NEW_NAMESPACES),
        0,
    )?;
    let calls = calls::ALL.into_iter().flatten();
    let mut rules: BTreeMap<_, _> = calls.map(|call| (*call, vec![])).collect();
    // Threads. clone3 isn't in the list, since a filter can't see its flags.
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![no_namespace])?]);
    let machine = std::env::consts::ARCH;
    let architecture = machine
        .try_into()
        .map_err(|_| SandboxError::Machine(machine))?;
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::ENOSYS.cast_unsigned()),
        SeccompAction::Allow,
        architecture,
    )?;
    Ok(filter.try_into()?)
}
