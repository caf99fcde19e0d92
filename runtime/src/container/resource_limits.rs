//! The resource limits of a container's process: getrlimit(2).
//!
//! They must not act on the runtime's own work in the container, and raising one is root's privilege, which
//! is gone at the end of that work. So a limit that is to be raised is raised first without being lowered in
//! anything, and the limits are set as they are asked for when only the command is left to execute.

use std::io;

use libcontainer::oci_spec::runtime::{PosixRlimit, PosixRlimitType, Spec};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the hard limits that `spec` wants higher than they are.
///
/// # Errors
/// Those of setrlimit(2), with the limit's name.
pub(super) fn raise(spec: &Spec) -> io::Result<()> {
    for limit in limits(spec) {
        let resource = resource(limit.typ());
        let (soft, hard) = getrlimit(resource)?;
        if limit.hard() > hard {
            set(limit, resource, soft, limit.hard())?;
        }
    }
    Ok(())
}

/// Sets the limits of `spec`.
///
/// # Errors
/// Those of setrlimit(2), with the limit's name.
pub(super) fn set_all(spec: &Spec) -> io::Result<()> {
    limits(spec).try_for_each(|limit| set(limit, resource(limit.typ()), limit.soft(), limit.hard()))
}

fn limits(spec: &Spec) -> impl Iterator<Item = &PosixRlimit> {
    let process = spec.process().as_ref();
    let limits = process.and_then(|process| process.rlimits().as_ref());
    limits.into_iter().flatten()
}

fn set(limit: &PosixRlimit, resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    setrlimit(resource, soft, hard).map_err(|errno| {
        let error = io::Error::from(errno);
        io::Error::new(
            error.kind(),
            format!("{} to {soft}, at most {hard}: {error}", limit.typ()),
        )
    })
}

fn resource(kind: PosixRlimitType) -> Resource {
    match kind {
        PosixRlimitType::RlimitAs => Resource::RLIMIT_AS,
        PosixRlimitType::RlimitCore => Resource::RLIMIT_CORE,
        PosixRlimitType::RlimitCpu => Resource::RLIMIT_CPU,
        PosixRlimitType::RlimitData => Resource::RLIMIT_DATA,
        PosixRlimitType::RlimitFsize => Resource::RLIMIT_FSIZE,
        PosixRlimitType::RlimitLocks => Resource::RLIMIT_LOCKS,
        PosixRlimitType::RlimitMemlock => Resource::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitMsgqueue => Resource::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => Resource::RLIMIT_NICE,
        PosixRlimitType::RlimitNofile => Resource::RLIMIT_NOFILE,
        PosixRlimitType::RlimitNproc => Resource::RLIMIT_NPROC,
        PosixRlimitType::RlimitRss => Resource::RLIMIT_RSS,
        PosixRlimitType::RlimitRtprio => Resource::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => Resource::RLIMIT_RTTIME,
        PosixRlimitType::RlimitSigpending => Resource::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitStack => Resource::RLIMIT_STACK,
    }
}
