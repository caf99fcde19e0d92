//! What the spec names must be there.

use std::os::fd::AsFd;
use std::path::Path;

use bundles::promise::is_bind;
use oci_spec::runtime::Spec;
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use crate::container::Error;

/// Refuses a spec whose bind mount sources, namespaces or working directory don't exist. A working
/// directory that a mount will provide is left to be found by the container.
///
/// # Errors
/// [`Error::Missing`] naming the key and the path.
pub fn must_be_there(rootfs: &Path, spec: &Spec) -> Result<(), Error> {
    let mounts = spec.mounts().iter().flatten();
    for (index, mount) in mounts.enumerate().filter(|(_, mount)| is_bind(mount)) {
        let source = mount.source().as_deref().unwrap_or(Path::new(""));
        exists(format!("mounts[{index}].source"), source)?;
    }
    let namespaces = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.namespaces().as_ref());
    for (index, namespace) in namespaces.into_iter().flatten().enumerate() {
        if let Some(path) = namespace.path() {
            exists(format!("linux.namespaces[{index}].path"), path)?;
        }
    }
    working_directory(rootfs, spec)
}

fn exists(key: String, path: &Path) -> Result<(), Error> {
    path.metadata().map(drop).map_err(|source| Error::Missing {
        key,
        path: path.to_path_buf(),
        source,
    })
}

/// The working directory as the container will see it: links are followed inside the root file system.
fn working_directory(rootfs: &Path, spec: &Spec) -> Result<(), Error> {
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
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let missing = |errno: Errno| Error::Missing {
        key: "process.cwd".to_owned(),
        path: cwd.clone(),
        source: errno.into(),
    };
    let root = open(rootfs, flags, Mode::empty()).map_err(missing)?;
    openat2(
        root.as_fd(),
        cwd,
        flags,
        Mode::empty(),
        ResolveFlags::IN_ROOT,
    )
    .map(drop)
    .map_err(missing)
}
