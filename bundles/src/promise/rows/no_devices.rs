//! nodev on every mount but the runtime's own /dev.

use std::path::Path;

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Spec};

use crate::promise::spec_view::{enforces, is_own_dev, linux, mounts};
use crate::promise::{Kind, Observed, Protection};

pub(crate) const ROW: Protection = Protection {
    name: "no devices",
    reason: "Shifter: privileged operations \"manipulate devices on the system\", so nothing of the user's may",
    meaning: "device files work nowhere but in /dev, which holds null, zero, full, random, urandom and tty",
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
    HARMLESS.iter().any(|(known, ..)| path == Path::new(known))
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
    let mounts = mounts(spec)
        .iter()
        .enumerate()
        .filter(|(_, mount)| !is_own_dev(mount) && !enforces(mount, "nodev"))
        .map(|(index, mount)| {
            let destination = mount.destination().display();
            format!("mounts[{index}] {destination} is not nodev with all that is below it")
        });
    let devices = linux(spec)
        .and_then(|linux| linux.devices().as_ref())
        .into_iter()
        .flatten()
        .filter(|device| !is_harmless(device))
        .map(|device| format!("linux.devices adds {}", device.path().display()));
    mounts.chain(devices).collect()
}

fn on_process(observed: &Observed, _: &Spec, _: Kind) -> Vec<String> {
    observed
        .mounts
        .iter()
        .filter(|mount| {
            let own_dev = mount.path == Path::new("/dev") && mount.file_system == "tmpfs"
                || is_harmless_path(&mount.path)
                || mount.path.starts_with("/dev") && mount.file_system == "devpts";
            // A masked file is a bind mount of /dev/null.
            let mask = mount.path.starts_with("/proc") && mount.file_system != "proc";
            !own_dev && !mask && !mount.has("nodev")
        })
        .map(|mount| format!("{} is mounted without nodev", mount.path.display()))
        .collect()
}
