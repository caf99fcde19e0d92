//! Whether a container may do without a cgroup of its own.

use nix::unistd::geteuid;

use super::super::{HostOptions, Rootless};
use crate::own_user_namespace::maps_everybody;

impl HostOptions {
    /// Whether the container may do without a cgroup where the caller may make none.
    pub(in crate::container) fn is_rootless(self) -> bool {
        match self.rootless {
            Rootless::Yes => true,
            Rootless::No => false,
            Rootless::Auto => !geteuid().is_root() || is_in_user_namespace(),
        }
    }

    /// The same, found out once and for all.
    pub(in crate::container) fn settled(self) -> Self {
        let rootless = match self.is_rootless() {
            true => Rootless::Yes,
            false => Rootless::No,
        };
        Self { rootless, ..self }
    }
}

/// Whether this process's ids are another namespace's. What can't be told is taken for the host's: then a
/// cgroup that can't be made is an error, and never left out.
pub(in crate::container) fn is_in_user_namespace() -> bool {
    maps_everybody().is_ok_and(|everybody| !everybody)
}
