//! Looking at the created process through `/proc`, for the start gate.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bundles::promise::{
    Descriptor, JoinedNamespaces, Leads, MASKED_PATHS, MountPoint, NamespaceIds, Observed,
    READONLY_PATHS, parse_mountinfo, parse_status,
};

use nix::unistd::{Gid, geteuid, getgroups};
use rustix::fs::{AtFlags, Dir, FileType, readlinkat, statat};
use rustix::io::Errno;

use super::cgroup::Placement;
use super::id_maps::may_set_groups;
use super::{Error, Result};
use crate::kernel_file;
use crate::known::Known;
use crate::sys::{owner_of, parent_of, user_namespace_of};

const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// Everything that the promise's observed checks look at; with `is_joined`, also whose the pid and user namespaces are.
///
/// # Errors
/// Where anything can't be read: what can't be seen doesn't count as kept.
pub(super) fn observe(pid: i32, cgroup: &Placement, is_joined: bool) -> Result<Observed> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let unreadable = |error: bundles::promise::ObservedError| Error::Step {
        step: "observe the created process",
        source: std::io::Error::other(error),
    };
    let mounts = parse_mountinfo(&read(&process.join("mountinfo"))?).map_err(unreadable)?;
    Ok(Observed {
        status: parse_status(&read(&process.join("status"))?).map_err(unreadable)?,
        existing_paths: existing_paths(&mounts),
        mounts,
        descriptors: descriptors(&process, is_joined)?,
        namespaces: namespaces(&process)?,
        joined: is_joined.then(|| joined(&process)).transpose()?,
        root_is_host_root: identity(&process.join("root"))?
            == identity(Path::new("/proc/self/root"))?,
        cgroup: cgroup.limits(),
        kept_groups: kept_groups()?,
    })
}

fn read(path: &Path) -> Result<String> {
    kernel_file::read(path).map_err(Error::io("read", path))
}

/// With `is_seen`, other tasks see the process before it executes its command.
fn descriptors(process: &Path, is_seen: bool) -> Result<Vec<Descriptor>> {
    let (links, infos) = (process.join("fd"), process.join("fdinfo"));
    let (all, told) = (opened(&links)?, opened(&infos)?);
    let failed = |errno: Errno| Error::io("read", &links)(errno.into());
    let mut descriptors = vec![];
    for entry in Dir::read_from(&all).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy();
        if [".", ".."].contains(&&*name) {
            continue;
        }
        match kernel_file::read_beginning_in(&told, &*name) {
            Ok(info) => descriptors.push(descriptor(&all, &name, &info, is_seen)),
            // libcontainer's last acts before it waits for `start` are closing its own sockets; what is
            // gone isn't inherited.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read", infos.join(&*name))(error)),
        }
    }
    Ok(descriptors)
}

fn opened(path: &Path) -> Result<File> {
    File::open(path).map_err(Error::io("open", path))
}

/// The descriptor `name` of the process whose ones are in the directory `all`.
fn descriptor(all: &File, name: &str, info: &str, is_seen: bool) -> Descriptor {
    let flags = info
        .lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .and_then(|octal| i32::from_str_radix(octal.trim(), 8).ok());
    let close_on_exec = flags.is_some_and(|flags| flags & libc::O_CLOEXEC != 0);
    Descriptor {
        // What can't be told is none of the standard ones.
        number: name.parse().unwrap_or(i32::MAX),
        close_on_exec,
        leads: (is_seen || !close_on_exec).then(|| leads(all, name)),
    }
}

fn leads(all: &File, name: &str) -> Leads {
    let target = readlinkat(all, name, vec![]);
    // What isn't called by a path is a socket, a pipe or the kernel's own.
    let has_no_path = target
        .as_ref()
        .is_ok_and(|target| !target.to_bytes().starts_with(b"/"));
    // The link itself leads to the open file, whatever path it has for us.
    let leads_to_directory = || {
        let found = statat(all, name, AtFlags::empty());
        found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_dir())
    };
    Leads {
        to_directory: !has_no_path && leads_to_directory(),
        target: target.map_or_else(
            |_| String::new(),
            |target| target.to_string_lossy().into_owned(),
        ),
    }
}

fn namespaces(process: &Path) -> Result<BTreeMap<String, NamespaceIds>> {
    let ours = OURS.get_or(|| namespaces_in(Path::new("/proc/self/ns")));
    let ours = ours.map_err(Error::io("look at", "/proc/self/ns"))?;
    let directory = process.join("ns");
    let theirs = namespaces_in(&directory).map_err(Error::io("look at", directory))?;
    let both = std::iter::zip(theirs, ours).map(|(theirs, ours)| NamespaceIds { theirs, ours });
    Ok(std::iter::zip(NAMESPACES.map(str::to_owned), both).collect())
}

/// This process's. Wherever it goes, it comes back before it looks at another one.
static OURS: Known<[u64; NAMESPACES.len()]> = Known::new();

fn namespaces_in(directory: &Path) -> io::Result<[u64; NAMESPACES.len()]> {
    let opened = File::open(directory)?;
    let mut inodes = [0; NAMESPACES.len()];
    for (name, inode) in std::iter::zip(NAMESPACES, &mut inodes) {
        *inode = statat(&opened, name, AtFlags::empty())?.st_ino;
    }
    Ok(inodes)
}

/// Whose the process's namespaces are, by the kernel's word.
fn joined(process: &Path) -> Result<JoinedNamespaces> {
    let user = opened(&process.join("ns/user"))?;
    let pid = opened(&process.join("ns/pid"))?;
    let ours = opened(Path::new("/proc/self/ns/pid"))?;
    let told = || -> io::Result<JoinedNamespaces> {
        Ok(JoinedNamespaces {
            owner: owner_of(&user)?,
            pid_is_of_user: is_same(user_namespace_of(&pid), &user)?,
            pid_is_below_ours: is_same(parent_of(&pid), &ours)?,
        })
    };
    told().map_err(Error::step("ask whose the process's namespaces are"))
}

/// Whether the kernel gave that namespace. One that it gives to nobody here is another.
fn is_same(given: io::Result<OwnedFd>, namespace: &File) -> io::Result<bool> {
    let given = match given {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => return Ok(false),
        other => File::from(other?).metadata()?,
    };
    let namespace = namespace.metadata()?;
    Ok((given.dev(), given.ino()) == (namespace.dev(), namespace.ino()))
}

/// Our own supplementary groups, where they can't be left.
fn kept_groups() -> Result<Vec<u32>> {
    if geteuid().is_root() && may_set_groups("self")? {
        return Ok(vec![]);
    }
    let groups = getgroups().map_err(Error::step("ask for this process's groups"))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

/// Device and inode of what `path` leads to.
fn identity(path: &Path) -> Result<(u64, u64)> {
    let metadata = fs::metadata(path).map_err(Error::io("stat", path))?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Those of the masked and read-only paths that this kernel has: what is mounted on is there, and the rest is judged by our
/// own `/proc`. What can't be told counts as there.
fn existing_paths(mounts: &[MountPoint]) -> Vec<PathBuf> {
    let places: HashSet<&OsStr> = mounts.iter().map(|mount| mount.path.as_os_str()).collect();
    MASKED_PATHS
        .into_iter()
        .chain(READONLY_PATHS)
        .map(PathBuf::from)
        .filter(|path| places.contains(path.as_os_str()) || path.try_exists().unwrap_or(true))
        .collect()
}
