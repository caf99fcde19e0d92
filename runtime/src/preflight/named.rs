//! What the spec names must be there.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bundles::promise::is_bind;
use oci_spec::runtime::{LinuxNamespaceType, Mount, Spec};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::resolve::resolve;
use crate::below::{make_directories, open_in_root};
use crate::container::Error;

/// Refuses a spec whose bind mount sources or namespaces don't exist. A source in what an earlier mount brings into
/// the root file system is seen only later.
///
/// # Errors
/// [`Error::Missing`] naming the key and the path; [`Error::Unsupported`] for the runtime's own mount namespace.
pub fn must_be_there(rootfs: &Path, spec: &Spec) -> Result<(), Error> {
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    for (index, mount) in mounts
        .iter()
        .enumerate()
        .filter(|(_, mount)| is_bind(mount))
    {
        let source = mount.source().as_deref().unwrap_or(Path::new(""));
        let is_mounted = |earlier: &Mount| {
            let destination = earlier.destination();
            let relative = destination.strip_prefix("/").unwrap_or(destination);
            source.starts_with(rootfs.join(relative))
        };
        // Only of the few that aren't there it is asked what others bring.
        if let Err(missing) = exists(format!("mounts[{index}].source"), source)
            && !mounts[..index].iter().any(is_mounted)
        {
            return Err(missing);
        }
    }
    let namespaces = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.namespaces().as_ref());
    for (index, namespace) in namespaces.into_iter().flatten().enumerate() {
        if let Some(path) = namespace.path() {
            let key = format!("linux.namespaces[{index}].path");
            if namespace.typ() == LinuxNamespaceType::Mount {
                is_anothers(&key, path)?;
            }
            exists(key, path)?;
        }
    }
    Ok(())
}

/// The mount namespace that the runtime is in would get the container's root for its own, and lose the host's
/// file systems.
fn is_anothers(key: &str, path: &Path) -> Result<(), Error> {
    let identity = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino())).ok();
    if identity(path).is_some_and(|it| Some(it) == identity(Path::new("/proc/self/ns/mnt"))) {
        return Err(Error::unsupported(
            format!("{key} {}", path.display()),
            "it is the mount namespace that the runtime is in; hint: without a path it is a new one",
        ));
    }
    Ok(())
}

fn exists(key: String, path: &Path) -> Result<(), Error> {
    path.metadata().map(drop).map_err(|source| Error::Missing {
        key,
        path: path.to_path_buf(),
        source,
    })
}

/// The working directory as the container will see it: links are followed inside the root file system. One
/// that isn't there is made, as runc and crun do.
///
/// # Errors
/// [`Error::Missing`] where it can't be entered or made.
pub fn working_directory(rootfs: &Path, spec: &Spec) -> Result<(), Error> {
    let Some(process) = spec.process() else {
        return Ok(());
    };
    let cwd = process.cwd();
    let mounted =
        spec.mounts().iter().flatten().any(|mount| {
            cwd.starts_with(mount.destination()) || mount.destination().starts_with(cwd)
        });
    if mounted {
        return Ok(());
    }
    enter_or_make(rootfs, cwd)
}

/// Makes the working directory, if it isn't there, in a root file system with its mounts.
///
/// # Errors
/// [`Error::Missing`] where it can't be made.
pub fn make_working_directory(rootfs: &Path, spec: &Spec) -> Result<(), Error> {
    match spec.process() {
        Some(process) => enter_or_make(rootfs, process.cwd()),
        None => Ok(()),
    }
}

fn enter_or_make(rootfs: &Path, cwd: &Path) -> Result<(), Error> {
    let outcome = match enter(rootfs, cwd) {
        Err(Errno::NOENT) => make(rootfs, cwd),
        other => other,
    };
    outcome.map_err(|errno| Error::Missing {
        key: "process.cwd".to_owned(),
        path: cwd.to_owned(),
        source: errno.into(),
    })
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn enter(rootfs: &Path, cwd: &Path) -> Result<(), Errno> {
    let root = open(rootfs, DIRECTORY, Mode::empty())?;
    open_in_root(root.as_fd(), cwd, OFlags::DIRECTORY).map(drop)
}

fn make(rootfs: &Path, cwd: &Path) -> Result<(), Errno> {
    let root = open(rootfs, DIRECTORY, Mode::empty())?;
    let target = resolve(root.as_fd(), cwd)?;
    make_directories(root.as_fd(), &target).map(drop)
}
