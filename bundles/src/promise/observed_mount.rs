//! Which line of the created process's mountinfo belongs to which mount of the spec.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Mount, Spec};

use super::spec_view::mounts;
use super::{MountPoint, Observed};

/// What is seen on `path`: the last line, since later mounts cover earlier ones.
pub(super) fn top<'a>(observed: &'a Observed, path: &Path) -> Option<&'a MountPoint> {
    observed
        .mounts
        .iter()
        .rev()
        // As the kernel spells it, which is as we do: compared name by name, forty mounts take their time.
        .find(|mount| mount.path.as_os_str() == path.as_os_str())
}

/// Each mount of `spec` with its line, `None` where it has none.
///
/// Where several have one destination, the last of them has the last line there, and so on upwards: each
/// is checked, though the later ones cover it.
pub(super) fn each_mount<'a>(
    observed: &'a Observed,
    spec: &'a Spec,
) -> impl Iterator<Item = (&'a Mount, Option<&'a MountPoint>)> {
    // The last line at a path, and for each line the one that it covers.
    let mut last: HashMap<&OsStr, usize> = HashMap::with_capacity(observed.mounts.len());
    let lines = observed.mounts.iter().enumerate();
    let covers: Vec<Option<usize>> = lines
        .map(|(index, line)| last.insert(line.path.as_os_str(), index))
        .collect();
    let from_the_last = mounts(spec).iter().rev();
    let mut pairs: Vec<_> = from_the_last
        .map(|mount| {
            let path = as_the_kernel_spells(mount.destination());
            let line = last.remove(path.as_os_str()).map(|index| {
                let line = &observed.mounts[index];
                if let Some(covered) = covers[index] {
                    last.insert(line.path.as_os_str(), covered);
                }
                line
            });
            (mount, line)
        })
        .collect();
    pairs.reverse();
    pairs.into_iter()
}

/// A plain path without what means nothing in it: `//`, and a `/` at its end.
fn as_the_kernel_spells(path: &Path) -> Cow<'_, Path> {
    let bytes = path.as_os_str().as_bytes();
    let is_so =
        bytes == b"/" || !bytes.ends_with(b"/") && !bytes.windows(2).any(|two| two == b"//");
    match is_so {
        true => path.into(),
        false => path.components().collect::<PathBuf>().into(),
    }
}
