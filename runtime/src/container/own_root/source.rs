//! What is mounted: a detached mount with its attributes.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use bundles::promise::is_bind;
use libcontainer::oci_spec::runtime::Mount;
use rustix::fs::CWD;
use rustix::io::{Errno, Result};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string,
    fsmount, fsopen, open_tree,
};

use crate::container::mount_options::{self, MountOptions};
use crate::container::prepare::{set_attributes, set_options};
use crate::sys::MountAttr;

/// How often a file system that is busy is asked for again, and after how long: as libcontainer and runc do.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// Makes what `mount` asks for, to be attached.
pub(super) fn open(mount: &Mount) -> Result<OwnedFd> {
    let options = mount_options::parse(mount);
    let source = mount.source().as_deref().ok_or(Errno::INVAL)?;
    if is_bind(mount) {
        return clone(source, &options);
    }
    let kind = mount.typ().as_deref().ok_or(Errno::INVAL)?;
    // Filled first, and only then perhaps read-only: see `finish`.
    let is_dev = mount.destination() == Path::new("/dev");
    for _ in 1..TRIES {
        match make(kind, source, &options, is_dev) {
            Err(Errno::BUSY) => sleep(PAUSE),
            other => return other,
        }
    }
    make(kind, source, &options, is_dev)
}

fn clone(source: &Path, options: &MountOptions) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    flags.set(OpenTreeFlags::AT_RECURSIVE, options.recursive);
    let tree = open_tree(CWD, source, flags)?;
    // Of what protects the source they take nothing back: `mount_plan` leaves that to `finish`, when it can do no harm.
    set(&tree, options.own, false)?;
    set(&tree, options.recursive_own, true)?;
    Ok(tree)
}

fn make(kind: &str, source: &Path, options: &MountOptions, is_dev: bool) -> Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", source)?;
    let data = options.data.iter().map(String::as_str);
    set_options(&context, data.filter(|option| !option.is_empty()))?;
    fsconfig_create(&context)?;
    let mut own = options.own.set;
    if is_dev {
        own &= !libc::MOUNT_ATTR_RDONLY;
    }
    let attributes = u32::try_from(own).map_err(|_| Errno::INVAL)?;
    let tree = fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::from_bits_retain(attributes),
    )?;
    set(&tree, options.recursive_own, true)?;
    Ok(tree)
}

fn set(tree: &OwnedFd, attr: MountAttr, recursive: bool) -> Result<()> {
    set_attributes(tree, attr, recursive).map_err(errno)
}

/// The kernel's word in an error that came from it.
fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
