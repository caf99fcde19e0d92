//! What the container may see of its file systems and not change, or not see at all.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno as NixErrno;
use nix::mount::{MsFlags, mount};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, open_tree,
};

use crate::below::open_in_root;
use crate::container::prepare::move_to;
use crate::container::{Error, Result};
use crate::device_nodes::is_null;

/// Sets the kernel's parameters `all`, in the procfs `proc` that was mounted for it.
///
/// # Errors
/// The parameter that can't be set.
pub(super) fn set_parameters(proc: Option<&OwnedFd>, all: &[(String, String)]) -> Result<()> {
    for (name, value) in all {
        set_parameter(proc, name, value).map_err(|errno| Error::Refused {
            what: format!("linux.sysctl.{name}"),
            source: errno.into(),
        })?;
    }
    Ok(())
}

fn set_parameter(proc: Option<&OwnedFd>, name: &str, value: &str) -> rustix::io::Result<()> {
    let file = openat2(
        proc.ok_or(Errno::NOENT)?,
        Path::new("sys").join(name.replace('.', "/")),
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
        // Nothing that is mounted below it is written to.
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV,
    )?;
    let length = rustix::io::write(&file, value.as_bytes())?;
    match length == value.len() {
        true => Ok(()),
        false => Err(Errno::IO),
    }
}

/// Makes each of `paths` read-only; those that aren't there are none to protect.
///
/// # Errors
/// The path that can't be.
pub(super) fn make_read_only(paths: &[String]) -> Result<()> {
    let none = None::<&str>;
    let flags = MsFlags::MS_BIND
        | MsFlags::MS_REMOUNT
        | MsFlags::MS_RDONLY
        | MsFlags::MS_NOSUID
        | MsFlags::MS_NODEV
        | MsFlags::MS_NOEXEC;
    for path in paths {
        let path = path.as_str();
        let failed = |errno: NixErrno| Error::io("make read-only", path)(errno.into());
        match mount(
            Some(path),
            path,
            none,
            MsFlags::MS_BIND | MsFlags::MS_REC,
            none,
        ) {
            Err(NixErrno::ENOENT) => continue,
            other => other.map_err(failed)?,
        }
        mount(Some(path), path, none, flags, none).map_err(failed)?;
    }
    Ok(())
}

/// Masks each of `paths`: a directory with an empty one, anything else with the container's own `/dev/null`, which must be
/// that (CVE-2025-31133). `root` is the root.
///
/// # Errors
/// The path that can't be.
pub(super) fn mask(root: &OwnedFd, paths: &[String]) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let null = null_device(root)?;
    let mut empty = None;
    for path in paths {
        mask_one(path, &null, &mut empty).map_err(|errno| Error::io("mask", path)(errno.into()))?;
    }
    Ok(())
}

fn null_device(root: &OwnedFd) -> Result<OwnedFd> {
    const NULL: &str = "/dev/null";
    let failed = |errno: Errno| Error::io("open", NULL)(errno.into());
    let null = open_in_root(root, Path::new(NULL), OFlags::empty()).map_err(failed)?;
    match is_null(&fstat(&null).map_err(failed)?) {
        true => Ok(null),
        false => Err(Error::Preflight {
            path: NULL.into(),
            reason: "it is not the null device".to_owned(),
        }),
    }
}

/// `empty` is the file system that covers directories, once there is one: all share it, for nobody can write to it.
fn mask_one(path: &str, null: &OwnedFd, empty: &mut Option<OwnedFd>) -> rustix::io::Result<()> {
    let place = match open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        // Not where it can't be reached from here: whoever is in another group may be able to.
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other?,
    };
    let is_directory = FileType::from_raw_mode(fstat(&place)?.st_mode) == FileType::Directory;
    let cover = match (is_directory, empty.as_ref()) {
        (false, _) => clone(null)?,
        (true, Some(first)) => clone(first)?,
        (true, None) => new_empty()?,
    };
    move_to(&cover, &place, Path::new(""))?;
    if is_directory {
        empty.get_or_insert(cover);
    }
    Ok(())
}

fn clone(mounted: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    open_tree(mounted, "", flags)
}

fn new_empty() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", "tmpfs")?;
    fsconfig_set_flag(&context, "ro")?;
    fsconfig_create(&context)?;
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    fsmount(&context, flags, MountAttrFlags::MOUNT_ATTR_RDONLY)
}
