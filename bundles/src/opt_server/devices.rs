//! `devices`: device files of the host's that a command can use.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use super::{Request, SandboxError};
use crate::bundle::HostPath;

/// A character device, by its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    pub path: PathBuf,
    pub major: u32,
    pub minor: u32,
}

/// Character devices that give the host, its hardware or its other users away, by major number
/// (Documentation/admin-guide/devices.txt of Linux), and what they are.
const REFUSED: [(u32, &str); 20] = [
    (
        1,
        "the host's memory, or one that every sandbox has already",
    ),
    (4, "a terminal of the host's"),
    (
        5,
        "a terminal of the host's, or the caller's own, which is there already",
    ),
    (6, "a printer port"),
    (7, "the contents of the host's console"),
    (9, "a tape drive"),
    (
        10,
        "a miscellaneous device: those make mounts, networks, virtual machines and input",
    ),
    (13, "the host's keyboard and mouse"),
    (21, "a disk, by its raw interface"),
    (29, "the host's screen"),
    (81, "a camera"),
    (86, "a medium changer"),
    (89, "the host's hardware bus"),
    (90, "flash memory"),
    (108, "a network link"),
    (136, "a terminal of another user's"),
    (162, "a disk, by its raw interface"),
    (189, "a USB device"),
    (202, "the processor's own registers"),
    (203, "the processor's own registers"),
];

/// Likewise by the beginning of their names, where the number is given out anew at each boot.
const REFUSED_NAMES: [&str; 12] = [
    "bsg", "gpiochip", "hidraw", "media", "mei", "mem", "ng", "nvme", "rtc", "tpm", "vfio",
    "watchdog",
];

/// Looks at each device, and refuses those that a sandbox is no sandbox with.
pub(super) fn plan(request: &Request<'_>) -> Result<Vec<Device>, SandboxError> {
    let mut devices = vec![];
    for path in &request.command.extensions.devices {
        let refuse = |reason: String| SandboxError::Device {
            command: request.origin(),
            path: path.clone(),
            reason,
        };
        let followed = HostPath::follow(path).map_err(|source| SandboxError::Path {
            command: request.origin(),
            key: "devices",
            source,
        })?;
        if followed.canonical != *path {
            let target = followed.canonical.display();
            return Err(refuse(format!("it is a link; name {target}")));
        }
        let found = fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
        if !found.file_type().is_char_device() {
            return Err(refuse("it is no character device".to_owned()));
        }
        let (major, minor) = (libc::major(found.rdev()), libc::minor(found.rdev()));
        if let Some((_, what)) = REFUSED.iter().find(|(refused, _)| *refused == major) {
            return Err(refuse(format!("that is {what} (major number {major})")));
        }
        let name = path.strip_prefix("/dev").unwrap_or(path).to_string_lossy();
        if REFUSED_NAMES
            .iter()
            .any(|refused| name.starts_with(refused))
        {
            return Err(refuse(
                "its kind reaches the host's disks or hardware".to_owned(),
            ));
        }
        devices.push(Device {
            path: path.clone(),
            major,
            minor,
        });
    }
    Ok(devices)
}
