//! What libcontainer can't express, put right in the created process's mount namespace before start.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use libcontainer::oci_spec::runtime::{Linux, Mount, Spec};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::copy_up::copy_up;
use super::mount_namespace::{as_its_root, inside};
use super::mount_options::Depth;
use super::mount_plan::PlannedMount;
use super::normalise::Normalised;
use super::{Error, Result, bound_dev};
use crate::below::{open_below, open_in_root};
use crate::sys::{MountAttr, mount_setattr};

/// What is to be done to a mount that libcontainer made.
struct Unfinished<'a> {
    planned: &'a PlannedMount,
    attributes: MountAttr,
    /// What a tmpfs covers and is to be filled with.
    covered: Option<OwnedFd>,
}

/// Finishes the mounts of the created process `pid`: what their options ask for beyond libcontainer, and
/// for a sealed bundle nosuid everywhere and nodev on the root. The root, masked paths and devices that
/// libcontainer mounts have none, and the OCI spec has no words for them.
///
/// # Errors
/// Where the namespace can't be entered or changed.
pub(super) fn finish(pid: i32, normalised: &Normalised, rootfs: &Path, sealed: bool) -> Result<()> {
    if bound_dev::is_asked_for(&normalised.spec) {
        bound_dev::exchange(pid, &normalised.spec)?;
    }
    let mut unfinished = vec![];
    for (index, planned) in normalised.mounts.iter().enumerate() {
        if is_masked(&normalised.spec, planned) {
            continue;
        }
        let mut attributes = late_attributes(planned);
        if is_covered(&normalised.mounts[index + 1..], &normalised.spec, planned) {
            attributes.clear = 0;
        }
        if is_lacking(planned, attributes) {
            unfinished.push(Unfinished::new(planned, attributes, rootfs)?);
        }
    }
    if unfinished.is_empty() && !sealed {
        return Ok(());
    }
    let (filled, others): (Vec<_>, Vec<_>) = unfinished
        .iter()
        .partition(|unfinished| unfinished.covered.is_some());
    if !filled.is_empty() {
        // The files of a tmpfs are the container's root's, who need not be root here.
        as_its_root(pid, || filled.iter().try_for_each(|one| one.finish(sealed)))?;
    }
    inside(pid, || {
        others.iter().try_for_each(|one| one.finish(sealed))?;
        if sealed { shut() } else { Ok(()) }
    })
}

/// Whether a masked path hides the mount: nobody will see what it lacks.
fn is_masked(spec: &Spec, planned: &PlannedMount) -> bool {
    let linux = spec.linux().as_ref();
    let masked = linux.and_then(|linux| linux.masked_paths().as_ref());
    let place = planned.mount.destination();
    masked.is_some_and(|paths| paths.iter().any(|path| place.starts_with(path)))
}

/// Whether at the mount's place something else is on top: a later mount, or what libcontainer put there to
/// mask a path or make it read-only. Nothing may be taken back from those.
fn is_covered(later: &[PlannedMount], spec: &Spec, planned: &PlannedMount) -> bool {
    let place = planned.mount.destination();
    let linux = spec.linux().as_ref();
    let protected = |of: fn(&Linux) -> &Option<Vec<String>>| {
        linux
            .and_then(|linux| of(linux).as_ref())
            .is_some_and(|paths| paths.iter().any(|path| place.starts_with(path)))
    };
    later.iter().any(|other| other.mount.destination() == place)
        || protected(|linux| linux.masked_paths())
        || protected(|linux| linux.readonly_paths())
}

/// Whether libcontainer leaves something of the mount undone: it ignores all options of a cgroup mount on
/// cgroup v1 (T12, S3), propagation (C2) and nosymfollow (C4) of any, and that
/// `/dev` is to be read-only; `tmpcopyup` (C3) it can't do.
fn is_lacking(planned: &PlannedMount, attributes: MountAttr) -> bool {
    let options = &planned.options;
    is_cgroup(&planned.mount)
        || attributes != MountAttr::default()
        || !options.propagation.is_empty()
        || options.copy_up
}

fn is_cgroup(mount: &Mount) -> bool {
    mount.typ().as_deref() == Some("cgroup")
}

/// The attributes that are set only when everything is in place, and on a bind mount those that an option takes
/// back from the source's own: libcontainer only ever adds.
fn late_attributes(planned: &PlannedMount) -> MountAttr {
    let mut late = libc::MOUNT_ATTR_NOSYMFOLLOW;
    if planned.options.copy_up || planned.mount.destination() == Path::new("/dev") {
        late |= libc::MOUNT_ATTR_RDONLY;
    }
    if is_cgroup(&planned.mount) {
        late |= libc::MOUNT_ATTR_RDONLY
            | libc::MOUNT_ATTR_NOSUID
            | libc::MOUNT_ATTR_NODEV
            | libc::MOUNT_ATTR_NOEXEC;
    }
    let own = &planned.options.own;
    let mut attr = MountAttr {
        set: own.set & late,
        ..MountAttr::default()
    };
    if bundles::promise::is_bind(&planned.mount) {
        // What holds for all below holds for the mount as well, whichever option comes last.
        attr.clear = own.clear & !planned.options.recursive_own.set;
        attr.set |= own.set & own.clear & libc::MOUNT_ATTR__ATIME;
    }
    attr
}

impl<'a> Unfinished<'a> {
    fn new(planned: &'a PlannedMount, attributes: MountAttr, rootfs: &Path) -> Result<Self> {
        let covered = planned
            .options
            .copy_up
            .then(|| covered_directory(rootfs, planned.mount.destination()))
            .transpose()?
            .flatten();
        Ok(Self {
            planned,
            attributes,
            covered,
        })
    }

    fn finish(&self, sealed: bool) -> Result<()> {
        let destination = self.planned.mount.destination();
        let target = open_inside(destination, sealed)?;
        let failed = |error| Error::io("finish the mount", destination)(error);
        if let Some(covered) = &self.covered {
            copy_up(covered.as_fd(), target.as_fd())
                .map_err(Error::io("copy what is covered by", destination))?;
        }
        self.set_attributes(&target).map_err(failed)?;
        for (flag, depth) in &self.planned.options.propagation {
            let attr = MountAttr {
                propagation: flag.bits(),
                ..MountAttr::default()
            };
            mount_setattr(&target, attr, *depth == Depth::Recursive).map_err(failed)?;
        }
        Ok(())
    }
}

impl Unfinished<'_> {
    fn set_attributes(&self, target: &OwnedFd) -> std::io::Result<()> {
        let added = MountAttr {
            clear: self.attributes.clear & libc::MOUNT_ATTR__ATIME,
            ..self.attributes
        };
        if added != MountAttr::default() {
            mount_setattr(target, added, is_cgroup(&self.planned.mount))?;
        }
        let taken_back = MountAttr {
            clear: self.attributes.clear & !libc::MOUNT_ATTR__ATIME,
            ..MountAttr::default()
        };
        if taken_back == MountAttr::default() {
            return Ok(());
        }
        match mount_setattr(target, taken_back, false) {
            // What protects the source is locked in a user namespace (mount_namespaces(7)), and stays.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(()),
            other => other,
        }
    }
}

/// The directory of the root file system that a mount covers; `None` where there is none.
fn covered_directory(rootfs: &Path, destination: &Path) -> Result<Option<OwnedFd>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(rootfs, flags, Mode::empty())
        .map_err(|errno| Error::io("open the root file system", rootfs)(errno.into()))?;
    match open_below(root, destination, OFlags::DIRECTORY) {
        Ok(directory) => Ok(Some(directory)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(Error::io("open", destination)(errno.into())),
    }
}

/// Opens a mount of the container's. In a bundle that isn't sealed a link on the way is followed inside, as
/// libcontainer followed it: it may lie in a volume, where nobody has looked before.
fn open_inside(path: &Path, sealed: bool) -> Result<OwnedFd> {
    let root = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(Error::step("open the container's root"))?;
    let opened = if sealed {
        open_below(root, path, OFlags::empty())
    } else {
        open_in_root(root, path, OFlags::empty())
    };
    opened.map_err(|errno| Error::io("open the mount", path)(errno.into()))
}

/// nosuid everywhere, and nodev on the root itself: a sealed bundle's devices are in a /dev of its own.
fn shut() -> Result<()> {
    let root = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(Error::step("open the container's root"))?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_NOSUID,
        ..MountAttr::default()
    };
    mount_setattr(&root, attr, true).map_err(Error::step("set nosuid on every mount"))?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_NODEV,
        ..MountAttr::default()
    };
    mount_setattr(&root, attr, false).map_err(Error::step("set nodev on the root"))
}
