//! Which line of the created process's mountinfo belongs to which mount of the spec.

use std::collections::HashMap;
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
    let mut lines: HashMap<&Path, Vec<&MountPoint>> = HashMap::new();
    for line in &observed.mounts {
        lines.entry(&line.path).or_default().push(line);
    }
    let from_the_last = mounts(spec).iter().rev();
    let mut pairs: Vec<_> = from_the_last
        .map(|mount| {
            let there = lines.get_mut(&mount.destination().as_path());
            (mount, there.and_then(Vec::pop))
        })
        .collect();
    pairs.reverse();
    pairs.into_iter()
}
