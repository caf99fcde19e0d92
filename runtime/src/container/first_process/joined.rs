//! The namespaces that a spec names by path.

use std::error::Error as StdError;
use std::fs::File;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::super::{Error, Result};

/// Those that are joined before libcontainer does anything, each open: what a path leads to may change.
///
/// libcontainer joins them when the process is in its user namespace, where it has no rights over those that
/// belong outside. The user namespace has its own time, the mount namespace must be last, and where the
/// cgroup namespace is, libcontainer wants to know.
#[derive(Debug, Default)]
pub(in crate::container) struct Joined(Vec<Listed>);

#[derive(Debug)]
struct Listed {
    kind: LinuxNamespaceType,
    path: PathBuf,
    namespace: File,
}

const OURS: [LinuxNamespaceType; 5] = [
    LinuxNamespaceType::Ipc,
    LinuxNamespaceType::Network,
    LinuxNamespaceType::Pid,
    LinuxNamespaceType::Time,
    LinuxNamespaceType::Uts,
];

impl Joined {
    /// Takes them out of `spec`.
    ///
    /// # Errors
    /// Where a path can't be opened.
    pub(in crate::container) fn take(spec: &mut Spec) -> Result<Self> {
        let Some(linux) = spec.linux_mut() else {
            return Ok(Self::default());
        };
        let mut joined = vec![];
        let mut left = vec![];
        for listed in linux.namespaces().clone().unwrap_or_default() {
            match listed.path() {
                Some(path) if OURS.contains(&listed.typ()) => joined.push(Listed {
                    kind: listed.typ(),
                    path: path.clone(),
                    namespace: File::open(path).map_err(Error::io("open namespace", path))?,
                }),
                _ => left.push(listed),
            }
        }
        linux.set_namespaces(Some(left));
        Ok(Self(joined))
    }

    /// Whether there is none.
    pub(in crate::container) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Enters those that may be entered now; gives the others, which belong to a user namespace that comes
    /// later.
    pub(super) fn enter(&self) -> std::result::Result<Later<'_>, Box<dyn StdError>> {
        let mut later = vec![];
        for listed in &self.0 {
            match setns(&listed.namespace, flag(listed.kind)) {
                Err(Errno::EPERM) => later.push(listed),
                other => other.map_err(|errno| told(listed, errno))?,
            }
        }
        Ok(Later(later))
    }
}

/// Those that couldn't be entered from outside of the user namespace.
pub(super) struct Later<'a>(Vec<&'a Listed>);

impl Later<'_> {
    /// Enters them.
    pub(super) fn enter(self) -> std::result::Result<(), Box<dyn StdError>> {
        for listed in self.0 {
            setns(&listed.namespace, flag(listed.kind)).map_err(|errno| told(listed, errno))?;
        }
        Ok(())
    }
}

/// What the kernel checks the descriptor for: the enum's values are the flags of clone(2).
fn flag(kind: LinuxNamespaceType) -> CloneFlags {
    CloneFlags::from_bits_retain(kind as i32)
}

fn told(listed: &Listed, errno: Errno) -> String {
    let reason = std::io::Error::from(errno);
    format!(
        "join {} namespace {}: {reason}",
        listed.kind,
        listed.path.display()
    )
}
