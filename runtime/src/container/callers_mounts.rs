//! The mounts of a container without a mount namespace: they are made in the caller's, and must go with it.

use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use super::{Error, Result};
use crate::kernel_file;

/// The ids of the mounts at `rootfs` and below it, as mountinfo has them.
///
/// # Errors
/// Where mountinfo can't be read.
pub(super) fn at(rootfs: &Path) -> Result<Vec<u64>> {
    Ok(found(rootfs)?.into_iter().map(|(id, _)| id).collect())
}

/// Unmounts what is mounted at `rootfs` and below it but `before`, the last first.
///
/// # Errors
/// The first that stays.
pub(super) fn remove(rootfs: &Path, before: &[u64]) -> Result<()> {
    let ours = found(rootfs)?;
    for (_, path) in ours.iter().rev().filter(|(id, _)| !before.contains(id)) {
        umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)
            .map_err(|errno| Error::io("unmount", path)(errno.into()))?;
    }
    Ok(())
}

fn found(rootfs: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let path = "/proc/self/mountinfo";
    let text = kernel_file::read(path).map_err(Error::io("read", path))?;
    let malformed = || Error::Config {
        path: path.into(),
        reason: "not in the form of proc(5)".to_owned(),
    };
    let points = bundles::promise::parse_mountinfo(&text).map_err(|_| malformed())?;
    let ids = text
        .lines()
        .map(|line| line.split(' ').next()?.parse().ok());
    std::iter::zip(ids, points)
        .filter(|(_, point)| point.path.starts_with(rootfs))
        .map(|(id, point)| Ok((id.ok_or_else(malformed)?, point.path)))
        .collect()
}
