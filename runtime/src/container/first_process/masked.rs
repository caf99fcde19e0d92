//! That a path is masked where libcontainer was to mask it: it passes over one that it can't reach, as the container's
//! root, and the command may be in a group that can.

use std::path::Path;

use oci_spec::runtime::Spec;
use rustix::fs::{FileType, Mode, OFlags, StatVfsMountFlags, fstat, fstatfs, fstatvfs, open};
use rustix::io::Errno;

use super::super::mount_namespace::inside;
use super::super::{Error, Result};
use crate::below::open_in_root;
use crate::device_nodes::is_null;

/// `TMPFS_MAGIC` of linux/magic.h.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// Looks in the mount namespace of the process `pid`, whose root it is in.
///
/// # Errors
/// The path that isn't masked, or can't be looked at.
pub(super) fn must_be(pid: i32, spec: &Spec) -> Result<()> {
    let linux = spec.linux().as_ref();
    let paths = linux.and_then(|linux| linux.masked_paths().as_deref());
    let paths = paths.unwrap_or_default();
    if paths.is_empty() {
        return Ok(());
    }
    inside(pid, || {
        paths.iter().try_for_each(|path| {
            let is_masked = match shows(path) {
                Ok(true) => Err(Errno::ACCESS),
                other => other.map(drop),
            };
            is_masked.map_err(|errno| Error::io("mask", path)(errno.into()))
        })
    })
}

/// Whether there is something at `path` but the null device or an empty directory.
fn shows(path: &str) -> rustix::io::Result<bool> {
    let root = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let found = match open_in_root(root, Path::new(path), OFlags::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
        other => other?,
    };
    let status = fstat(&found)?;
    let is_masked = match FileType::from_raw_mode(status.st_mode) {
        FileType::Directory => {
            fstatfs(&found)?.f_type == TMPFS
                && fstatvfs(&found)?.f_flag.contains(StatVfsMountFlags::RDONLY)
        }
        _ => is_null(&status),
    };
    Ok(!is_masked)
}
