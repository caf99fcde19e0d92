//! Which cgroup hierarchies this host has, read once from `/proc/self/mountinfo`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::{Error, Result};
use crate::kernel_file;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// Where hierarchies belong; a bind mount of one elsewhere is a container's view.
const PLACE: &str = "/sys/fs/cgroup";

/// What a hierarchy can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// Version 1 with these controllers.
    Controllers(Vec<String>),
    /// Version 1 with a name and no controller, such as systemd's.
    Named(String),
    /// Version 2, whatever controllers it holds.
    Unified,
}

/// One hierarchy, at the mount through which it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// What it can do.
    pub kind: Kind,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// The cgroup that is seen there: `/` but in a container without a cgroup namespace.
    pub root: PathBuf,
}

/// All hierarchies, in the order of their mounting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layout {
    hierarchies: Vec<Hierarchy>,
}

impl Layout {
    /// Reads this host's.
    ///
    /// # Errors
    /// Where `/proc/self/mountinfo` can't be read.
    pub(super) fn read() -> Result<Self> {
        let text = kernel_file::read(MOUNTINFO).map_err(Error::io("read", MOUNTINFO))?;
        Ok(Self::parse(&text))
    }

    /// The hierarchies in a mountinfo text: of several mounts of one, the first at its usual place, or else
    /// the first.
    fn parse(mountinfo: &str) -> Self {
        let mut hierarchies: Vec<Hierarchy> = vec![];
        for found in mountinfo.lines().filter_map(parse_line) {
            let known = hierarchies
                .iter_mut()
                .find(|known| known.kind == found.kind);
            match known {
                Some(known) if !known.is_at_usual_place() && found.is_at_usual_place() => {
                    *known = found;
                }
                Some(_) => {}
                None => hierarchies.push(found),
            }
        }
        Self { hierarchies }
    }

    /// All of them.
    pub(super) fn hierarchies(&self) -> &[Hierarchy] {
        &self.hierarchies
    }

    /// Those that a container gets a cgroup in: all but other managers' own named ones.
    pub(super) fn joined(&self) -> impl Iterator<Item = &Hierarchy> {
        self.hierarchies
            .iter()
            .filter(|hierarchy| match &hierarchy.kind {
                Kind::Named(name) => name == "systemd",
                Kind::Controllers(_) | Kind::Unified => true,
            })
    }

    /// Whether version 2 is all there is.
    pub(super) fn is_unified(&self) -> bool {
        let mut all = self.hierarchies.iter();
        !self.hierarchies.is_empty() && all.all(|hierarchy| hierarchy.kind == Kind::Unified)
    }
}

impl Hierarchy {
    fn is_at_usual_place(&self) -> bool {
        self.mount_point.starts_with(PLACE)
    }

    /// What of `cgroup`, a path from the hierarchy's root, is below the mount point.
    pub(super) fn below_root(&self, cgroup: &Path) -> PathBuf {
        let below = cgroup.strip_prefix(&self.root).unwrap_or(cgroup);
        Path::new("/").join(below)
    }

    /// The directory of the cgroup `path`, which is taken from the mount point.
    pub(super) fn directory(&self, path: &Path) -> PathBuf {
        self.mount_point
            .join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// A line of proc(5)'s mountinfo: the root is its field 4, the mount point 5; the type, the source and the
/// super options, which name the controllers, follow the dash.
fn parse_line(line: &str) -> Option<Hierarchy> {
    let (before, after) = line.split_once(" - ")?;
    let mut after = after.split(' ');
    let kind = match after.next()? {
        "cgroup" => kind_of(after.nth(1)?),
        "cgroup2" => Kind::Unified,
        _ => return None,
    };
    let mut before = before.split(' ').skip(3);
    Some(Hierarchy {
        kind,
        root: before.next()?.into(),
        mount_point: before.next()?.into(),
    })
}

/// The super options of version 1 are flags, options with a value, and the controllers.
fn kind_of(super_options: &str) -> Kind {
    let flags = ["rw", "ro", "xattr", "clone_children", "noprefix"];
    let options = super_options.split(',');
    if let Some(name) = options
        .clone()
        .find_map(|option| option.strip_prefix("name="))
    {
        return Kind::Named(name.to_owned());
    }
    let controllers = options.filter(|option| !flags.contains(option) && !option.contains('='));
    Kind::Controllers(controllers.map(str::to_owned).collect())
}

impl Kind {
    /// The name in the first column of `/proc/PID/cgroup` lines: `cpu,cpuacct`, `name=systemd`, or nothing.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Controllers(names) => names.join(","),
            Self::Named(name) => format!("name={name}"),
            Self::Unified => String::new(),
        }
    }

    /// Whether it is version 1 and holds `controller`.
    pub(super) fn holds(&self, controller: &str) -> bool {
        matches!(self, Self::Controllers(names) if names.iter().any(|name| name == controller))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
        31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
        39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
        40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n\
        42 23 0:39 / /tmp rw - tmpfs cgroup rw\n";

    fn hierarchy(kind: Kind, mount_point: &str) -> Hierarchy {
        Hierarchy {
            kind,
            mount_point: mount_point.into(),
            root: "/".into(),
        }
    }

    fn controllers(names: &[&str]) -> Kind {
        Kind::Controllers(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn every_layout_is_recognised() {
        let hybrid = Layout::parse(HYBRID);
        assert_eq!(
            hybrid.hierarchies(),
            [
                hierarchy(
                    controllers(&["cpu", "cpuacct"]),
                    "/sys/fs/cgroup/cpu,cpuacct"
                ),
                hierarchy(controllers(&["pids"]), "/sys/fs/cgroup/pids"),
                hierarchy(Kind::Named("systemd".to_owned()), "/sys/fs/cgroup/systemd"),
                hierarchy(Kind::Unified, "/sys/fs/cgroup/unified"),
            ]
        );
        assert!(!hybrid.is_unified());
        assert_eq!(hybrid.joined().count(), 4);
        let unified = Layout::parse("21 1 0:20 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        assert!(unified.is_unified());
        assert!(!Layout::parse("").is_unified());
    }

    #[test]
    fn of_several_mounts_of_a_hierarchy_the_usual_place_counts() {
        let text = "50 1 0:36 /x /var/rootfs/sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                    51 1 0:36 /y /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                    52 1 0:36 /z /sys/fs/cgroup/again rw - cgroup cgroup rw,pids\n";
        let layout = Layout::parse(text);
        let [only] = layout.hierarchies() else {
            panic!("{layout:?}");
        };
        assert_eq!(only.root, Path::new("/y"));
        assert_eq!(
            only.directory(Path::new("/a/b")),
            Path::new("/sys/fs/cgroup/pids/a/b")
        );
    }

    #[test]
    fn a_mount_of_a_part_hides_what_is_above() {
        for (cgroup, root, expected) in [
            ("/a/b", "/", "/a/b"),
            ("/docker/x/y", "/docker/x", "/y"),
            ("/docker/x", "/docker/x", "/"),
            ("/", "/", "/"),
            ("/elsewhere", "/docker", "/elsewhere"),
        ] {
            let hierarchy = Hierarchy {
                root: root.into(),
                ..hierarchy(Kind::Unified, "/x")
            };
            assert_eq!(hierarchy.below_root(Path::new(cgroup)), Path::new(expected));
        }
    }
}
