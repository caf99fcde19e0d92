//! nodev on every mount but the runtime's own /dev.

use std::path::Path;

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Mount, Spec};

use crate::promise::exceptions;
use crate::promise::spec_view::{enforces, is_own_dev, linux, mounts};
use crate::promise::{Kind, MountPoint, Observed, Protection};

pub(crate) const ROW: Protection = Protection {
    name: "no devices",
    reason: "Shifter: privileged operations \"manipulate devices on the system\", so nothing of the user's may",
    meaning: "device files work nowhere but in /dev, which holds null, zero, full, random, urandom and tty",
    lesser: None,
    in_config,
    on_process,
};

/// The devices that every container gets, with their numbers; they hold no data and lead nowhere.
const HARMLESS: [(&str, i64, i64); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

fn is_harmless_path(path: &Path) -> bool {
    HARMLESS
        .iter()
        .any(|(known, ..)| path.as_os_str() == *known)
}

/// A name says nothing: a disk may be called `/dev/null`.
fn is_harmless(device: &LinuxDevice) -> bool {
    let is_character = matches!(device.typ(), LinuxDeviceType::C | LinuxDeviceType::U);
    is_character
        && HARMLESS.iter().any(|(path, major, minor)| {
            device.path() == Path::new(path) && (device.major(), device.minor()) == (*major, *minor)
        })
}

fn in_config(spec: &Spec, _: Kind) -> Vec<String> {
    let excepted = exceptions::devices(spec);
    let is_device = |mount: &Mount| excepted.iter().any(|path| path == mount.destination());
    let mounts = mounts(spec)
        .iter()
        .enumerate()
        .filter(|(_, mount)| !is_own_dev(mount) && !is_device(mount) && !enforces(mount, "nodev"))
        .map(|(index, mount)| {
            let destination = mount.destination().display();
            format!("mounts[{index}] {destination} is not nodev with all that is below it")
        });
    let devices = linux(spec)
        .and_then(|linux| linux.devices().as_ref())
        .into_iter()
        .flatten()
        .filter(|device| !is_harmless(device) && !excepted.contains(device.path()))
        .map(|device| format!("linux.devices adds {}", device.path().display()));
    mounts.chain(devices).collect()
}

/// Whether `mount` hides a path: a file under a bind mount of /dev/null, a directory under an empty tmpfs.
fn is_mask(mount: &MountPoint, spec: &Spec) -> bool {
    if ["proc", "sysfs"].contains(&mount.file_system.as_str()) {
        return false;
    }
    let masked = linux(spec).and_then(|linux| linux.masked_paths().as_deref());
    let masked = masked.unwrap_or_default();
    // Nearly all are spelled as the kernel does it, and compared name by name they take their time.
    masked
        .iter()
        .any(|path| mount.path.as_os_str() == path.as_str())
        || masked.iter().any(|path| mount.path == Path::new(path))
}

fn on_process(observed: &Observed, spec: &Spec, _: Kind) -> Vec<String> {
    let excepted = exceptions::devices(spec);
    observed
        .mounts
        .iter()
        // Of few, so the rest is asked of few.
        .filter(|mount| !mount.has("nodev"))
        .filter(|mount| {
            let own_dev = mount.path == Path::new("/dev") && mount.file_system == "tmpfs"
                || is_harmless_path(&mount.path)
                || excepted.contains(&mount.path)
                || mount.path.starts_with("/dev") && mount.file_system == "devpts";
            !own_dev && !is_mask(mount, spec)
        })
        .map(|mount| format!("{} is mounted without nodev", mount.path.display()))
        .collect()
}
