//! The devices and links that are in the `/dev` of every container.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::LinuxDevice;
use nix::sys::stat::umask;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, makedev, mknodat, openat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::build::made_in;
use crate::container::prepare::move_to;
use crate::container::{Error, Result};
use crate::device_nodes::{DEVICES, KCORE, LINKS, Link, PTMX, kind_of, number_of};

const DEV: &str = "/dev";

/// What a device is to be.
struct Device {
    path: PathBuf,
    kind: FileType,
    number: u64,
    mode: Mode,
    uid: Option<u32>,
    gid: Option<u32>,
}

/// Makes all of them below `root`; with `binds`, mounts the host's.
///
/// # Errors
/// The device or the link that can't be made, such as one whose place is taken.
pub(super) fn make(root: &OwnedFd, listed: &[LinuxDevice], binds: bool) -> Result<()> {
    let dev = Path::new(DEV);
    let dev = made_in(root, dev).map_err(|errno| Error::io("open", dev)(errno.into()))?;
    if fs::exists(KCORE.1).unwrap_or(false) {
        link(&dev, KCORE)?;
    }
    LINKS.into_iter().try_for_each(|each| link(&dev, each))?;
    let listed_ones = listed.iter().map(Device::of);
    let own = DEVICES.iter().map(Device::everybodys);
    let own = own.filter(|own| listed.iter().all(|device| *device.path() != own.path));
    // Their modes are what the spec says.
    let mask = umask(nix::sys::stat::Mode::empty());
    let made = listed_ones.chain(own.map(Ok)).try_for_each(|device| {
        let device = device?;
        make_one(root, &dev, &device, binds)
            .map_err(|errno| Error::io("make the device", &device.path)(errno.into()))
    });
    umask(mask);
    made?;
    match unlinkat(&dev, PTMX.0, AtFlags::empty()) {
        Err(errno) if errno != Errno::NOENT => Err(not_linked(PTMX)(errno)),
        _ => link(&dev, PTMX),
    }
}

fn link(dev: &OwnedFd, link: Link) -> Result<()> {
    let (name, target) = link;
    symlinkat(target, dev, name).map_err(not_linked(link))
}

fn not_linked((name, _): Link) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::io("make the link", Path::new(DEV).join(name))(errno.into())
}

impl Device {
    fn of(device: &LinuxDevice) -> Result<Self> {
        let invalid = || {
            Error::unsupported(
                format!("linux.devices: {}", device.path().display()),
                "there is no such device",
            )
        };
        Ok(Self {
            path: device.path().clone(),
            kind: kind_of(device).ok_or_else(invalid)?,
            number: number_of(device).ok_or_else(invalid)?,
            mode: Mode::from_raw_mode(device.file_mode().unwrap_or(0o666) & 0o7777),
            uid: device.uid(),
            gid: device.gid(),
        })
    }

    fn everybodys((name, major, minor): &(&str, u32, u32)) -> Self {
        Self {
            path: Path::new(DEV).join(name),
            kind: FileType::CharacterDevice,
            number: makedev(*major, *minor),
            mode: Mode::from_raw_mode(0o666),
            uid: None,
            gid: None,
        }
    }
}

fn make_one(root: &OwnedFd, dev: &OwnedFd, device: &Device, binds: bool) -> rustix::io::Result<()> {
    let path = &*device.path;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::INVAL);
    };
    let below = match parent == Path::new(DEV) {
        true => None,
        false => Some(made_in(root, parent)?),
    };
    let (directory, name) = (below.as_ref().unwrap_or(dev), Path::new(name));
    if binds {
        return mount_hosts(directory, name, path);
    }
    mknodat(directory, name, device.kind, device.mode, device.number)?;
    if device.uid.is_none() && device.gid.is_none() {
        return Ok(());
    }
    let uid = device.uid.map(Uid::from_raw);
    let gid = device.gid.map(Gid::from_raw);
    chownat(directory, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
}

fn mount_hosts(directory: &OwnedFd, name: &Path, host: &Path) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    match openat(directory, name, flags, Mode::from_raw_mode(0o644)) {
        Ok(_) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = openat(directory, name, flags, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&target)?.st_mode) == FileType::Symlink {
        return Err(Errno::LOOP);
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, host, flags)?;
    move_to(&tree, &target, Path::new(""))
}
