//! Whether a container may do without a cgroup of its own.

use nix::unistd::geteuid;

use super::super::{HostOptions, Rootless};
use crate::kernel_file;

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
    let map = kernel_file::read("/proc/self/uid_map");
    map.is_ok_and(|map| !is_whole(&map))
}

/// Whether a map gives every id to itself: the first namespace's, which alone maps all 32 bits.
fn is_whole(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_user_namespace_is_known_by_its_map() {
        assert!(is_whole("         0          0 4294967295\n"));
        assert!(!is_whole("         0       1000          1\n"));
        assert!(!is_whole("0 0 65536\n65536 65536 4294901759\n"));
        assert!(!is_whole(""));
    }
}
