//! Where below a hierarchy a container's cgroup is: `linux.cgroupsPath`, or a place of our choosing.

use std::path::{Component, Path, PathBuf};

use super::super::{Error, Result};
use super::layout::{Hierarchy, Kind};
use super::own::cgroup_of;

/// A cgroup's path as the bundle or we name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CgroupPath {
    /// From the root of each hierarchy.
    Absolute(PathBuf),
    /// From a place that depends on the caller.
    Relative(PathBuf),
}

impl CgroupPath {
    /// What `linux.cgroupsPath` names, in its plain form.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for the root, or a path with `..`: it could lead anywhere.
    pub(super) fn parse(path: &Path) -> Result<Self> {
        let mut plain = PathBuf::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => plain.push(name),
                Component::RootDir | Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => return Err(not_below_root(path)),
            }
        }
        if plain.as_os_str().is_empty() {
            return Err(not_below_root(path));
        }
        Ok(if path.is_absolute() {
            Self::Absolute(Path::new("/").join(plain))
        } else {
            Self::Relative(plain)
        })
    }

    /// The path below `hierarchy`'s mount point. A relative one begins at the root for root, as crun has it.
    /// An ordinary user may write at most around his own cgroup, so there it begins, as in runc: below it on
    /// version 1; beside it on version 2, where a cgroup that holds processes has no controllers below it.
    ///
    /// # Errors
    /// Where this process's own cgroup can't be read.
    pub(super) fn below(&self, hierarchy: &Hierarchy, from_own: bool) -> Result<PathBuf> {
        match self {
            Self::Absolute(path) => Ok(path.clone()),
            Self::Relative(path) if !from_own => Ok(Path::new("/").join(path)),
            Self::Relative(path) => {
                let own = cgroup_of("self", hierarchy)?;
                let start = match hierarchy.kind {
                    Kind::Unified => own.parent().unwrap_or(&own),
                    _ => &own,
                };
                Ok(start.join(path))
            }
        }
    }
}

fn not_below_root(path: &Path) -> Error {
    Error::unsupported(
        format!("linux.cgroupsPath {}", path.display()),
        "it must name a cgroup below the root, without '..'",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_put_into_its_plain_form() {
        let absolute = |path: &str| Some(CgroupPath::Absolute(path.into()));
        let relative = |path: &str| Some(CgroupPath::Relative(path.into()));
        for (path, expected) in [
            ("/a/b", absolute("/a/b")),
            ("//a/./b/", absolute("/a/b")),
            ("a/b", relative("a/b")),
            ("./a", relative("a")),
            ("system.slice:runc:x", relative("system.slice:runc:x")),
            ("", None),
            ("/", None),
            (".", None),
            ("..", None),
            ("/a/../../b", None),
        ] {
            assert_eq!(CgroupPath::parse(Path::new(path)).ok(), expected, "{path}");
        }
    }
}
