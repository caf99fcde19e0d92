//! In which cgroup a process is: the text of `/proc/PID/cgroup`.

use std::path::{Path, PathBuf};

use super::super::{Error, Result};
use super::layout::Hierarchy;
use crate::kernel_file;

/// The cgroup of the process `pid` (a number, or `self`) in `hierarchy`, as a path below its mount point.
///
/// # Errors
/// Where the file can't be read or doesn't name the hierarchy.
pub(super) fn cgroup_of(pid: &str, hierarchy: &Hierarchy) -> Result<PathBuf> {
    let path = format!("/proc/{pid}/cgroup");
    let text = kernel_file::read(&path).map_err(Error::io("read", &path))?;
    let absent = || std::io::Error::other(format!("no hierarchy \"{}\"", hierarchy.kind.name()));
    let cgroup = find(&text, &hierarchy.kind.name())
        .ok_or_else(absent)
        .map_err(Error::io("read", &path))?;
    Ok(hierarchy.below_root(cgroup))
}

/// A line is `ID:CONTROLLERS:PATH` (cgroups(7)); the order of the controllers may differ from mountinfo's.
fn find<'a>(text: &'a str, name: &str) -> Option<&'a Path> {
    let sorted = |names: &str| {
        let mut names: Vec<String> = names.split(',').map(str::to_owned).collect();
        names.sort();
        names
    };
    text.lines().find_map(|line| {
        let (names, path) = line.split_once(':')?.1.split_once(':')?;
        (sorted(names) == sorted(name)).then_some(Path::new(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_found_by_its_hierarchy() {
        let text = "9:name=systemd:/a:b\n4:cpuacct,cpu:/c\n0::/d\n";
        for (name, path) in [
            ("name=systemd", Some("/a:b")),
            ("cpu,cpuacct", Some("/c")),
            ("", Some("/d")),
            ("cpu", None),
        ] {
            assert_eq!(find(text, name), path.map(Path::new), "{name}");
        }
    }
}
