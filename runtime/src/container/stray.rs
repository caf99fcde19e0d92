//! Mounts that went where none was to go: somebody who can write to a volume exchanged the place of one for a link while
//! the container was made (CVE-2025-52881). What the runtime and `exec` write to procfs would go into their files.

use std::path::{Path, PathBuf};

use bundles::promise::{MountPoint, is_bind, parse_mountinfo};
use libcontainer::oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::mount_plan::PlannedMount;
use super::{Error, Result, namespaces};
use crate::kernel_file;

/// What is written to, and what says who a process is. Elsewhere hooks may mount: drivers do in `/proc/driver`.
const KEPT: [&str; 3] = ["/proc/self", "/proc/thread-self", "/proc/sys"];

/// Fails where something else covers the procfs of the created process `pid`.
///
/// # Errors
/// [`Error::Preflight`] with the place, or where the mounts can't be read.
pub(super) fn refuse(pid: i32, spec: &Spec, planned: &[PlannedMount]) -> Result<()> {
    let is_own = |mount: &PlannedMount| {
        mount.mount.destination() == Path::new("/proc") && !is_bind(&mount.mount)
    };
    if !planned.iter().any(is_own) || !namespaces::is_new(spec, LinuxNamespaceType::Mount) {
        return Ok(());
    }
    let path = format!("/proc/{pid}/mountinfo");
    let text = kernel_file::read(&path).map_err(Error::io("read", &path))?;
    let mounts = parse_mountinfo(&text).map_err(|error| Error::Step {
        step: "look at the created process's mounts",
        source: std::io::Error::other(error),
    })?;
    let linux = spec.linux().as_ref();
    let masked = linux.and_then(|linux| linux.masked_paths().as_ref());
    let wanted = planned
        .iter()
        .map(|mount| mount.mount.destination().clone());
    let wanted: Vec<PathBuf> = wanted
        .filter(|path| path != Path::new("/proc"))
        .chain(masked.into_iter().flatten().map(PathBuf::from))
        .collect();
    match first(&mounts, &wanted) {
        None => Ok(()),
        Some(place) => Err(Error::Preflight {
            path: place.to_path_buf(),
            reason: "a mount landed on it: the place of one was exchanged for a link while the container was made"
                .to_owned(),
        }),
    }
}

/// The first place in procfs that isn't procfs, and isn't below one of the `wanted` either.
fn first<'a>(mounts: &'a [MountPoint], wanted: &[PathBuf]) -> Option<&'a Path> {
    let is_stray = |mount: &&MountPoint| {
        mount.file_system != "proc"
            && is_kept(&mount.path)
            && !wanted.iter().any(|path| mount.path.starts_with(path))
    };
    mounts
        .iter()
        .find(is_stray)
        .map(|mount| mount.path.as_path())
}

fn is_kept(path: &Path) -> bool {
    let is_processes = |name: &std::ffi::OsStr| {
        let digits = name.as_encoded_bytes();
        digits.iter().all(u8::is_ascii_digit)
    };
    path == Path::new("/proc")
        || KEPT.iter().any(|kept| path.starts_with(kept))
        || path
            .strip_prefix("/proc")
            .is_ok_and(|rest| rest.iter().next().is_some_and(is_processes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_covers_procfs_is_found_and_what_was_asked_for_is_not() {
        let mount = |path: &str, file_system: &str| MountPoint {
            path: path.into(),
            file_system: file_system.to_owned(),
            ..MountPoint::default()
        };
        let wanted = ["/proc/sys/kernel/ns_last_pid", "/proc/keys", "/data"].map(PathBuf::from);
        for (path, file_system, is_stray) in [
            ("/proc", "proc", false),
            ("/proc", "ext4", true),
            ("/proc/sys", "proc", false),
            ("/proc/sys", "tmpfs", true),
            ("/proc/sys/kernel/ns_last_pid", "fuse", false),
            ("/proc/keys", "devtmpfs", false),
            ("/proc/self", "ext4", true),
            ("/proc/17/attr", "ext4", true),
            ("/proc/driver/nvidia", "tmpfs", false),
            ("/procession", "ext4", false),
            ("/data", "ext4", false),
        ] {
            let mounts = [
                mount("/", "ext4"),
                mount("/proc", "proc"),
                mount(path, file_system),
            ];
            assert_eq!(
                first(&mounts, &wanted).is_some(),
                is_stray,
                "{file_system} on {path}"
            );
        }
    }
}
