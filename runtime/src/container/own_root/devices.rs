//! The devices and links that are in the `/dev` of every container.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use libcontainer::oci_spec::runtime::{LinuxDevice, LinuxDeviceType};
use nix::sys::stat::umask;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, makedev, mknodat, openat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::build::{directory_in, in_dev};
use crate::container::prepare::attach;
use crate::container::{Error, Result};

const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Those that every container has, unless the spec lists others in their places.
const DEVICES: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/urandom", 1, 9),
    ("/dev/random", 1, 8),
];

/// What a device is to be.
struct Device<'a> {
    path: &'a Path,
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
    let dev = directory_in(root, Path::new("/dev"))?;
    let failed = |name: &str| Error::io("make the link", Path::new("/dev").join(name));
    if fs::exists("/proc/kcore").unwrap_or(false) {
        symlinkat("/proc/kcore", &dev, "kcore").map_err(|errno| failed("kcore")(errno.into()))?;
    }
    for (name, target) in LINKS {
        symlinkat(target, &dev, name).map_err(|errno| failed(name)(errno.into()))?;
    }
    let own = DEVICES.iter().filter(|(path, ..)| {
        let mut listed = listed.iter();
        !listed.any(|device| device.path() == Path::new(path))
    });
    let own = own.map(|(path, major, minor)| Device {
        path: Path::new(path),
        kind: FileType::CharacterDevice,
        number: makedev(*major, *minor),
        mode: Mode::from_raw_mode(0o666),
        uid: None,
        gid: None,
    });
    let all = listed.iter().map(Device::of).chain(own.map(Ok));
    // Their modes are what the spec says.
    let mask = umask(nix::sys::stat::Mode::empty());
    let made = all.into_iter().try_for_each(|device| {
        let device = device?;
        make_one(root, &dev, &device, binds)
            .map_err(|errno| Error::io("make the device", device.path)(errno.into()))
    });
    umask(mask);
    made?;
    match unlinkat(&dev, "ptmx", AtFlags::empty()) {
        Err(errno) if errno != Errno::NOENT => Err(errno),
        _ => symlinkat("pts/ptmx", &dev, "ptmx"),
    }
    .map_err(|errno| failed("ptmx")(errno.into()))
}

impl<'a> Device<'a> {
    fn of(device: &'a LinuxDevice) -> Result<Self> {
        let invalid = || {
            Error::unsupported(
                format!("linux.devices: {}", device.path().display()),
                "there is no such device",
            )
        };
        let kind = match device.typ() {
            LinuxDeviceType::B => FileType::BlockDevice,
            LinuxDeviceType::C | LinuxDeviceType::U => FileType::CharacterDevice,
            LinuxDeviceType::P => FileType::Fifo,
            LinuxDeviceType::A => return Err(invalid()),
        };
        let part = |number: i64| u32::try_from(number).map_err(|_| invalid());
        Ok(Self {
            path: device.path(),
            kind,
            number: makedev(part(device.major())?, part(device.minor())?),
            mode: Mode::from_raw_mode(device.file_mode().unwrap_or(0o666) & 0o7777),
            uid: device.uid(),
            gid: device.gid(),
        })
    }
}

fn make_one(
    root: &OwnedFd,
    dev: &OwnedFd,
    device: &Device<'_>,
    binds: bool,
) -> rustix::io::Result<()> {
    let (directory, name) = in_dev(root, device.path)?;
    let directory = directory.as_ref().unwrap_or(dev);
    if binds {
        return mount_hosts(directory, name, device.path);
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
    attach(&tree, &target, Path::new("")).map_err(|_| Errno::INVAL)
}
