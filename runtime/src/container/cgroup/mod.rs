//! A container's cgroup, in whatever hierarchies the host has: v1, hybrid or v2.
//!
//! libcgroups joins it and applies the limits. Making and removing is ours: only what we made may be emptied
//! and removed, and libcgroups' removal gives up on a cgroup with children and sleeps between tries.

mod join;
mod layout;
mod tree;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bundles::promise::CgroupLimits;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::{Error, Result};
use layout::{Hierarchy, Kind, Layout};

// For `exec`, which comes next.
#[allow(unused_imports)]
pub(super) use join::join;

/// How long processes killed in a cgroup may take to go.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What was made for one container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeCgroup {
    /// The container's own directory in each hierarchy where it wasn't there before.
    own: Vec<PathBuf>,
    /// Directories above them, the topmost first: removed when empty.
    above: Vec<PathBuf>,
}

impl MadeCgroup {
    /// Makes the cgroup `path` in every hierarchy that libcgroups will join. What is there already is
    /// another's, and stays.
    ///
    /// # Errors
    /// Where a directory can't be made, or one that is there has processes in it, whose limits the
    /// container would change; what was made is removed again.
    pub(super) fn make(path: &Path) -> Result<Self> {
        let mut made = Self::default();
        for hierarchy in joined(&Layout::read()?) {
            if let Err(error) = made.make_in(&hierarchy.mount_point, path) {
                // The first error is the one to report.
                let _ = made.remove(false);
                return Err(error);
            }
        }
        Ok(made)
    }

    fn make_in(&mut self, mount_point: &Path, path: &Path) -> Result<()> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let mut directory = mount_point.to_path_buf();
        let mut names = relative.components().peekable();
        while let Some(name) = names.next() {
            directory.push(name);
            match fs::create_dir(&directory) {
                Ok(()) if names.peek().is_some() => self.above.push(directory.clone()),
                Ok(()) => self.own.push(directory.clone()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if names.peek().is_none() && tree::is_populated(&directory) {
                        return Err(Error::CgroupInUse(directory));
                    }
                }
                Err(error) => return Err(Error::io("make cgroup", directory)(error)),
            }
        }
        Ok(())
    }

    /// Removes it. `with_processes`: kills every process in it and in its children first; otherwise those
    /// that are there are another container's, and it stays for them.
    ///
    /// # Errors
    /// Where killed processes don't go or a directory stays.
    pub(super) fn remove(&self, with_processes: bool) -> Result<()> {
        let own = Cgroup {
            directories: self.own.clone(),
        };
        own.remove(with_processes)?;
        for directory in self.above.iter().rev() {
            // Another container may have come to use it; then it is that one's to keep.
            let _ = fs::remove_dir(directory);
        }
        Ok(())
    }

    /// Whether every hierarchy had it already, or there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// Sends `signal` to every process in it.
    ///
    /// # Errors
    /// Where the list of processes can't be read.
    pub(super) fn signal_all(&self, signal: Signal) -> Result<()> {
        self.own
            .iter()
            .try_for_each(|directory| tree::signal_all(directory, signal))
    }
}

/// The directories of one cgroup path in every hierarchy where it exists.
#[derive(Debug, Clone)]
pub(super) struct Cgroup {
    directories: Vec<PathBuf>,
}

impl Cgroup {
    /// The cgroup at `path`, taken from each hierarchy's mount point.
    ///
    /// # Errors
    /// Where `/proc/self/mountinfo` can't be read.
    pub(super) fn at(path: &Path) -> Result<Self> {
        let is_root = path
            .strip_prefix("/")
            .unwrap_or(path)
            .as_os_str()
            .is_empty();
        let layout = Layout::read()?;
        let all = layout.hierarchies().iter();
        let directories = all
            .map(|hierarchy| hierarchy.directory(path))
            .filter(|directory| !is_root && directory.is_dir())
            .collect();
        Ok(Self { directories })
    }

    /// Removes it; absent is fine. `with_processes`: kills every process in it and in its children first;
    /// otherwise those that are there are another container's, and it stays for them.
    ///
    /// # Errors
    /// Where killed processes don't go or a directory stays.
    pub(super) fn remove(&self, with_processes: bool) -> Result<()> {
        let deadline = Instant::now() + GONE_WITHIN;
        for directory in &self.directories {
            loop {
                if with_processes {
                    tree::signal_all(directory, Signal::SIGKILL)?;
                }
                let Err(error) = tree::remove(directory) else {
                    break;
                };
                let is_busy = error.raw_os_error() == Some(libc::EBUSY);
                let is_late = Instant::now() > deadline;
                if is_busy && !with_processes && (is_late || tree::is_populated(directory)) {
                    break;
                }
                if !is_busy || is_late {
                    return Err(Error::io("remove cgroup", directory)(error));
                }
                // A process that has ended leaves its cgroup only when it is reaped.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// The limits that the kernel holds.
    pub(super) fn limits(&self) -> CgroupLimits {
        CgroupLimits {
            pids: self.read_number(&["pids.max"]),
            memory: self.read_number(&["memory.limit_in_bytes", "memory.max"]),
        }
    }

    fn read_number(&self, names: &[&str]) -> Option<i64> {
        self.directories
            .iter()
            .flat_map(|directory| names.iter().map(move |name| directory.join(name)))
            .find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok())
    }
}

/// The hierarchies that libcgroups joins: those of v1 controllers, or the only one of v2.
fn joined(layout: &Layout) -> Vec<&Hierarchy> {
    let all = layout.hierarchies().iter();
    all.filter(|hierarchy| match hierarchy.kind {
        Kind::Controllers(_) => true,
        Kind::Named(_) => false,
        Kind::Unified => layout.is_unified(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_cgroup_is_never_ours_to_remove() {
        assert!(Cgroup::at(Path::new("/")).unwrap().directories.is_empty());
    }
}
