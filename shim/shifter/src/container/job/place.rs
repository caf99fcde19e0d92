//! Where the containers of jobs are.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bundles::shifter::Config;
use bundles::shifter::image::Caller;
use bundles::shifter::trusted::{self, ROOT};
use nix::mount::{MsFlags, mount};
use runtime::enter_mount_namespace;
use rustix::fs::{CWD, FileType, FlockOperation, flock};
use rustix::mount::{OpenTreeFlags, UnmountFlags, open_tree, unmount};

use crate::container::build::attach;
use crate::container::mode::Mode;

const NONE: Option<&str> = None;
const SHUT: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// How many mounts may lie upon each other at one place before something is wrong.
const MOST_MOUNTS: usize = 64;

/// The variable in which Slurm tells a job, its prolog and its epilog which one it is.
const JOB_ID: &str = "SLURM_JOB_ID";

/// Which job a container is for: the name of its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The job that this process is of; where there is none, the one that has the node to itself.
    ///
    /// # Errors
    /// Where the variable is no number.
    pub fn of_this_process() -> Result<Self> {
        Ok(Self::of_job()?.unwrap_or_else(|| Self("node".to_owned())))
    }

    /// The job that this process is of, if it is of one.
    ///
    /// # Errors
    /// Where the variable is no number.
    pub(in crate::container) fn of_job() -> Result<Option<Self>> {
        let id = std::env::var_os(JOB_ID);
        id.map(|id| Self::of(&id.to_string_lossy())).transpose()
    }

    fn of(id: &str) -> Result<Self> {
        match id.parse::<u64>() {
            // A number has one name only.
            Ok(number) => Ok(Self(number.to_string())),
            Err(_) => bail!("{JOB_ID}: {id:?} is no number of a job"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The site's `udiMount`, which is root's with all that leads to it.
#[derive(Debug)]
pub(super) struct Jobs {
    path: PathBuf,
}

/// Held by whoever makes or takes away a directory.
struct Lock {
    _directory: File,
}

impl Jobs {
    pub(super) fn of(config: &Config) -> Result<Self> {
        let wanted = config
            .udi_mount
            .as_ref()
            .context("udiMount is missing: where containers are built")?;
        let found = trusted::follow(wanted, &ROOT).context("udiMount")?;
        if found.kind != FileType::Directory {
            bail!("udiMount: {} is not a directory", wanted.display());
        }
        Ok(Self { path: found.path })
    }

    pub(super) fn directory(&self, key: &Key) -> PathBuf {
        self.path.join(&key.0)
    }

    /// Makes the job's directory, the user's to enter and nobody's to change, with what `fill` puts there: whole or not
    /// at all. One that is there already is replaced.
    ///
    /// It is filled among mounts of this process's own, and then shown to the host. Whatever is mounted there of the
    /// host's is a slave of the host's mount, so that taking it away takes nothing from the host.
    pub(super) fn make(
        &self,
        key: &Key,
        whose: &Caller,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let path = self.directory(key);
        let host = File::open("/proc/self/ns/mnt").context("open this mount namespace")?;
        Mode::Rootful.leave_hosts_mounts(None)?;
        let filled = self.fill(&path, whose, fill);
        enter_mount_namespace(&host).context("come back to the host's mounts")?;
        let tree = filled?;
        let _lock = self.lock()?;
        self.sweep();
        take_away(&path)?;
        make_directory(&path)?;
        attach(&tree, &path).with_context(|| format!("mount {}", path.display()))
    }

    fn fill(
        &self,
        path: &Path,
        whose: &Caller,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<OwnedFd> {
        let root = Caller {
            uid: 0,
            gid: 0,
            groups: vec![],
        };
        cover(&self.path, &root, "0755")?;
        make_directory(path)?;
        cover(path, whose, "0500")?;
        fill(path)?;
        shut(path)?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        open_tree(CWD, path, flags).with_context(|| format!("clone {}", path.display()))
    }

    /// Takes it away, with all that is mounted there.
    pub(super) fn remove(&self, key: &Key) -> Result<()> {
        let _lock = self.lock()?;
        self.sweep();
        take_away(&self.directory(key))
    }

    /// What is left of jobs that this node didn't see the end of: empty directories.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| Key::of(name).is_ok()) {
                // One on which something is mounted is busy, and stays.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }

    fn lock(&self) -> Result<Lock> {
        let failed = || format!("lock {}", self.path.display());
        let directory = File::open(&self.path).with_context(failed)?;
        flock(&directory, FlockOperation::LockExclusive).with_context(failed)?;
        Ok(Lock {
            _directory: directory,
        })
    }
}

fn make_directory(path: &Path) -> Result<()> {
    let made = DirBuilder::new().mode(0o755).create(path);
    made.with_context(|| format!("make {}", path.display()))
}

/// Mounts a file system of memory, this user's, on `path`.
pub(super) fn cover(path: &Path, whose: &Caller, mode: &str) -> Result<()> {
    let options = format!("mode={mode},uid={},gid={}", whose.uid, whose.gid);
    let (kind, options) = (Some("tmpfs"), Some(options.as_str()));
    mount(Some("shifter"), path, kind, SHUT, options)
        .with_context(|| format!("mount {}", path.display()))
}

/// Nobody changes what is in the file system at `path` any more, not even its owner.
fn shut(path: &Path) -> Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | SHUT;
    mount(NONE, path, NONE, flags, NONE).with_context(|| format!("shut {}", path.display()))
}

/// Mounts a sysfs on `path`.
pub(super) fn mount_system(path: &Path) -> Result<()> {
    let flags = SHUT | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    mount(Some("sysfs"), path, Some("sysfs"), flags, NONE)
        .with_context(|| format!("mount {}", path.display()))
}

/// Unmounts all that is mounted at `path` and below, and removes the directory. It is fine if there is none.
fn take_away(path: &Path) -> Result<()> {
    for _ in 0..MOST_MOUNTS {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            Err(error) => return Err(error).context(format!("remove {}", path.display())),
        }
        let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
        unmount(path, flags).with_context(|| format!("unmount {}", path.display()))?;
    }
    bail!("unmount {}: there is always one more", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_a_number_and_no_path() {
        assert_eq!(Key::of("17").unwrap(), Key("17".to_owned()));
        assert_eq!(Key::of("017").unwrap(), Key("17".to_owned()));
        for wrong in [
            "",
            "..",
            "1/2",
            "../1",
            "-1",
            "1 ",
            "node",
            "99999999999999999999",
        ] {
            let error = Key::of(wrong).unwrap_err().to_string();
            assert!(error.contains("no number of a job"), "{error}");
        }
    }
}
