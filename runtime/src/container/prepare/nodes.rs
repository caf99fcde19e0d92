//! Device nodes that libcontainer can't make: those elsewhere than in `/dev`, those in a volume, where it would follow the
//! links of whoever writes there, and in a user namespace those that the host doesn't have at the same path. Root makes
//! them in a file system in memory, and they are mounted where the bundle wants them.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use bundles::promise::is_bind;
use libcontainer::oci_spec::runtime::{
    LinuxDevice, LinuxDeviceType, LinuxIdMapping, LinuxNamespaceType, Spec,
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, chmodat, chownat, mknodat, open};
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::container::id_maps::outside;
use crate::container::{Error, Result, namespaces};
use crate::device_nodes::{kind_of, number_of};

/// Takes them out of `spec`.
pub(super) fn take(spec: &mut Spec) -> Vec<LinuxDevice> {
    let has_user_namespace = namespaces::is_listed(spec, LinuxNamespaceType::User);
    let is_in_volume = |path: &Path| {
        let mut mounts = spec.mounts().iter().flatten();
        let place = mounts.rfind(|mount| path.starts_with(mount.destination()));
        place.is_some_and(is_bind)
    };
    let listed = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.devices().clone());
    let all = listed.unwrap_or_default();
    let (taken, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|device| {
        !device.path().starts_with("/dev")
            || is_in_volume(device.path())
            || has_user_namespace && !is_on_host(device)
    });
    if let Some(linux) = spec.linux_mut().as_mut().filter(|_| !taken.is_empty()) {
        linux.set_devices(Some(left));
    }
    taken
}

fn is_on_host(device: &LinuxDevice) -> bool {
    fs::symlink_metadata(device.path()).is_ok_and(|found| {
        let kind = found.file_type();
        let is_kind = match device.typ() {
            LinuxDeviceType::B => kind.is_block_device(),
            LinuxDeviceType::P => kind.is_fifo(),
            _ => kind.is_char_device(),
        };
        is_kind && (device.typ() == LinuxDeviceType::P || Some(found.rdev()) == number_of(device))
    })
}

/// Makes the nodes, each as a detached mount, by way of the directory `place` of this process's own mount namespace.
///
/// # Errors
/// Where one can't be made.
pub(super) fn make(nodes: &[LinuxDevice], spec: &Spec, place: &Path) -> Result<Vec<OwnedFd>> {
    if nodes.is_empty() {
        return Ok(vec![]);
    }
    let failed = "make a file system for devices";
    let none = None::<&str>;
    mount(
        Some("tmpfs"),
        place,
        Some("tmpfs"),
        MsFlags::MS_NOSUID,
        none,
    )
    .map_err(Error::step(failed))?;
    let root = open(place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let root = root.map_err(Error::step(failed))?;
    let made = nodes.iter().enumerate().map(|(index, device)| {
        make_one(&root, Path::new(&index.to_string()), device, spec)
            .map_err(|errno| Error::io("make the device", device.path())(errno.into()))
    });
    let made = made.collect();
    umount2(place, MntFlags::MNT_DETACH).map_err(Error::step(failed))?;
    made
}

fn make_one(
    root: impl AsFd,
    name: &Path,
    device: &LinuxDevice,
    spec: &Spec,
) -> rustix::io::Result<OwnedFd> {
    let kind = kind_of(device).ok_or(rustix::io::Errno::INVAL)?;
    let mode = Mode::from_raw_mode(device.file_mode().unwrap_or(0o666) & 0o777);
    let number = number_of(device).ok_or(rustix::io::Errno::INVAL)?;
    mknodat(&root, name, kind, mode, number)?;
    // Whatever the umask is.
    chmodat(&root, name, mode, AtFlags::empty())?;
    let linux = spec.linux().as_ref();
    let uids = linux.and_then(|linux| linux.uid_mappings().as_deref());
    let gids = linux.and_then(|linux| linux.gid_mappings().as_deref());
    let uid = outside_of(uids, device.uid().unwrap_or(0));
    let gid = outside_of(gids, device.gid().unwrap_or(0));
    chownat(
        &root,
        name,
        uid.map(Uid::from_raw),
        gid.map(Gid::from_raw),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(&root, name, flags)
}

/// A container without mappings has the host's ids.
fn outside_of(maps: Option<&[LinuxIdMapping]>, id: u32) -> Option<u32> {
    match maps {
        None | Some([]) => Some(id),
        Some(maps) => outside(maps, id),
    }
}
