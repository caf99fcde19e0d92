//! Everything of the host's that a command needs or is given, apart from its project.

use super::config::MountDependencies;
use super::devices::{self, Device};
use super::mounts::{self, Readables};
use super::writable::{self, Writables};
use super::{Request, SandboxError};
use crate::elf::Resolver;

/// What of the host's is inside.
#[derive(Debug, Clone, Default)]
pub(super) struct HostSide {
    pub readables: Readables,
    pub writables: Writables,
    pub devices: Vec<Device>,
}

impl HostSide {
    pub(super) fn plan(request: &Request<'_>, resolver: &Resolver) -> Result<Self, SandboxError> {
        Ok(Self {
            readables: readables(request, resolver)?,
            writables: writable::plan(request)?,
            devices: devices::plan(request)?,
        })
    }
}

fn readables(request: &Request<'_>, resolver: &Resolver) -> Result<Readables, SandboxError> {
    let executable = &request.command.executable;
    let declared = &request.command.extensions.dlopen;
    let (all, follower) = resolver
        .resolve_and_follow(executable, declared)
        .map_err(|source| {
            let command = request.origin();
            // Whose fault it is shows without what was declared.
            match resolver.resolve(executable) {
                Err(source) => SandboxError::Executable { command, source },
                Ok(_) => SandboxError::Dlopen { command, source },
            }
        })?;
    mounts::plan(request, &all, follower)
}

/// What would be readable in the other mode of `mount-dependencies`.
pub(super) fn readables_under(
    mode: MountDependencies,
    request: &Request<'_>,
    resolver: &Resolver,
) -> Result<Readables, SandboxError> {
    let mut command = request.command.clone();
    command.mount_dependencies = mode;
    let other = Request {
        command: &command,
        ..request.clone()
    };
    readables(&other, resolver)
}
