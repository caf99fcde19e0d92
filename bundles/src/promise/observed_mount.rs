//! Which line of the created process's mountinfo belongs to which mount of the spec.

use std::path::Path;

use oci_spec::runtime::{Mount, Spec};

use super::spec_view::mounts;
use super::{MountPoint, Observed};

/// What is seen on `path`: the last line, since later mounts cover earlier ones.
pub(super) fn top<'a>(observed: &'a Observed, path: &Path) -> Option<&'a MountPoint> {
    observed
        .mounts
        .iter()
        .rev()
        .find(|mount| mount.path == path)
}

/// Each mount of `spec` with its line, `None` where it has none.
///
/// Where several have one destination, the last of them has the last line there, and so on upwards: each
/// is checked, though the later ones cover it.
pub(super) fn each_mount<'a>(
    observed: &'a Observed,
    spec: &'a Spec,
) -> impl Iterator<Item = (&'a Mount, Option<&'a MountPoint>)> {
    let all = mounts(spec);
    all.iter().enumerate().map(move |(index, mount)| {
        let destination = mount.destination();
        let covering = all[index + 1..]
            .iter()
            .filter(|later| later.destination() == destination);
        let mut lines = observed.mounts.iter().rev();
        let line = lines
            .by_ref()
            .filter(|line| line.path == *destination)
            .nth(covering.count());
        (mount, line)
    })
}
