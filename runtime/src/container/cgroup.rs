//! A container's cgroup, in whatever hierarchies the host has: v1, hybrid or v2.
//!
//! libcgroups joins it and applies the limits. Making and removing is ours: only what we made may be emptied
//! and removed, and libcgroups' removal gives up on a cgroup with children and sleeps between tries.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bundles::promise::CgroupLimits;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::{Error, Result};

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
        for mount_point in joined_mount_points()? {
            if let Err(error) = made.make_in(&mount_point, path) {
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
                    if names.peek().is_none() && is_populated(&directory) {
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
            .try_for_each(|directory| signal_tree(directory, signal))
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
        let file = "/proc/self/mountinfo";
        let text = fs::read_to_string(file).map_err(Error::io("read", file))?;
        let relative = path.strip_prefix("/").unwrap_or(path);
        let is_root = relative.as_os_str().is_empty();
        let mut directories: Vec<PathBuf> = mount_points(&text)
            .map(|mount_point| mount_point.join(relative))
            .filter(|directory| !is_root && directory.is_dir())
            .collect();
        directories.sort();
        directories.dedup();
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
                    signal_tree(directory, Signal::SIGKILL)?;
                }
                let Err(error) = remove_tree(directory) else {
                    break;
                };
                let is_busy = error.raw_os_error() == Some(libc::EBUSY);
                let is_late = Instant::now() > deadline;
                if is_busy && !with_processes && (is_late || is_populated(directory)) {
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
fn joined_mount_points() -> Result<Vec<PathBuf>> {
    let file = "/proc/self/mountinfo";
    let text = fs::read_to_string(file).map_err(Error::io("read", file))?;
    Ok(joined(&text))
}

fn joined(mountinfo: &str) -> Vec<PathBuf> {
    let of_type = |wanted: &str| -> Vec<PathBuf> {
        let mounts = mountinfo.lines().filter(|line| {
            // Type, source and super options follow the dash; a named hierarchy has no controller.
            let after = line.split_once(" - ").map(|(_, after)| after);
            after.is_some_and(|after| {
                after.split(' ').next() == Some(wanted) && !after.contains("name=")
            })
        });
        let mut paths: Vec<PathBuf> = mounts
            .filter_map(|line| line.split(' ').nth(4).map(PathBuf::from))
            .filter(|path| path.starts_with("/sys/fs/cgroup"))
            .collect();
        paths.sort();
        paths.dedup();
        paths
    };
    match of_type("cgroup") {
        none if none.is_empty() => of_type("cgroup2"),
        controllers => controllers,
    }
}

/// The mount points of cgroup file systems in a mountinfo text.
fn mount_points(mountinfo: &str) -> impl Iterator<Item = PathBuf> + '_ {
    mountinfo.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let file_system = after.split(' ').next()?;
        ["cgroup", "cgroup2"]
            .contains(&file_system)
            .then(|| before.split(' ').nth(4).map(PathBuf::from))?
    })
}

fn signal_tree(directory: &Path, signal: Signal) -> Result<()> {
    for child in children(directory) {
        signal_tree(&child, signal)?;
    }
    let path = directory.join("cgroup.procs");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    // A pid of 0 is a process that this pid namespace can't see.
    let pids = text.lines().filter_map(|line| line.parse().ok());
    for pid in pids.filter(|pid: &i32| *pid > 0) {
        // Gone in the meantime is as good.
        let _ = kill(Pid::from_raw(pid), signal);
    }
    Ok(())
}

fn is_populated(directory: &Path) -> bool {
    let here = fs::read_to_string(directory.join("cgroup.procs"));
    here.is_ok_and(|pids| !pids.trim().is_empty())
        || children(directory).iter().any(|child| is_populated(child))
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn remove_tree(directory: &Path) -> io::Result<()> {
    for child in children(directory) {
        remove_tree(&child)?;
    }
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup_mounts_are_found_in_every_layout() {
        let text = "21 1 0:20 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                    22 1 0:21 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw\n\
                    23 1 0:22 / /tmp rw - tmpfs cgroup rw\n";
        let found: Vec<PathBuf> = mount_points(text).collect();
        assert_eq!(
            found,
            [
                PathBuf::from("/sys/fs/cgroup/pids"),
                PathBuf::from("/sys/fs/cgroup/unified")
            ]
        );
    }

    #[test]
    fn only_hierarchies_with_controllers_are_joined() {
        let hybrid = "21 1 0:20 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                      22 1 0:21 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
                      23 1 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(joined(hybrid), [PathBuf::from("/sys/fs/cgroup/pids")]);
        let unified = "21 1 0:20 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(joined(unified), [PathBuf::from("/sys/fs/cgroup")]);
    }

    #[test]
    fn the_root_cgroup_is_never_ours_to_remove() {
        assert!(Cgroup::at(Path::new("/")).unwrap().directories.is_empty());
    }
}
