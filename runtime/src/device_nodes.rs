//! The devices and links that are in every container's `/dev`, and what a device that a spec lists is to the kernel.

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};
use rustix::fs::{FileType, Stat, makedev};

/// Name and target.
pub(crate) type Link = (&'static str, &'static str);

/// The links that are made wherever they lead.
pub(crate) const LINKS: [Link; 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Made where the host has it.
pub(crate) const KCORE: Link = ("kcore", "/proc/kcore");

/// Takes the place of what is there.
pub(crate) const PTMX: Link = ("ptmx", "pts/ptmx");

/// Name, major and minor number of the character devices, unless the spec lists others in their places.
pub(crate) const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("tty", 5, 0),
    ("urandom", 1, 9),
    ("random", 1, 8),
];

/// Whether a file is the null device, whatever its name is.
pub(crate) fn is_null(file: &Stat) -> bool {
    FileType::from_raw_mode(file.st_mode) == FileType::CharacterDevice
        && file.st_rdev == makedev(1, 3)
}

/// What a listed device is; none for the wildcard of cgroup rules, which is no file.
pub(crate) fn kind_of(device: &LinuxDevice) -> Option<FileType> {
    match device.typ() {
        LinuxDeviceType::B => Some(FileType::BlockDevice),
        LinuxDeviceType::C | LinuxDeviceType::U => Some(FileType::CharacterDevice),
        LinuxDeviceType::P => Some(FileType::Fifo),
        LinuxDeviceType::A => None,
    }
}

/// Its number; none where no device has such a one.
pub(crate) fn number_of(device: &LinuxDevice) -> Option<u64> {
    let major = u32::try_from(device.major()).ok()?;
    let minor = u32::try_from(device.minor()).ok()?;
    Some(makedev(major, minor))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_device_is_of_a_kind_and_a_number_that_there_are() {
        let device = |typ: &str, major: i64, minor: i64| -> LinuxDevice {
            let device = json!({ "path": "/dev/x", "type": typ, "major": major, "minor": minor });
            serde_json::from_value(device).unwrap()
        };
        for (typ, kind) in [
            ("b", Some(FileType::BlockDevice)),
            ("c", Some(FileType::CharacterDevice)),
            ("u", Some(FileType::CharacterDevice)),
            ("p", Some(FileType::Fifo)),
            ("a", None),
        ] {
            assert_eq!(kind_of(&device(typ, 1, 3)), kind, "{typ}");
        }
        assert_eq!(number_of(&device("c", 1, 3)), Some(makedev(1, 3)));
        for (major, minor) in [(-1, 3), (1, -1), (1 << 32, 3), (1, (1 << 32) + 3)] {
            assert_eq!(number_of(&device("c", major, minor)), None);
        }
    }
}
