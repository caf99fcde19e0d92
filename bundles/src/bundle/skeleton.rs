//! The root file system of a bundle that mounts everything: directories, links, mount targets, and files of the
//! site's.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::maker::Maker;

/// What stands at a path of the skeleton.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Directory {
        mode: u32,
        /// Whether it hides the directory of a layer below.
        hides: bool,
    },
    /// For a file to be mounted on, where it is empty.
    File {
        content: Vec<u8>,
        mode: u32,
    },
    Link(PathBuf),
    /// Nothing, whatever a layer below has there: a whiteout of overlayfs.
    Absent,
}

impl Entry {
    pub(crate) const DIRECTORY: Self = Self::Directory {
        mode: 0o755,
        hides: false,
    };
}

/// A tree of directories, files and links, by path inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skeleton {
    root: Node,
}

/// An entry, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub entry: Entry,
    pub inside: BTreeMap<OsString, Self>,
}

impl Node {
    fn new(entry: Entry) -> Self {
        Self {
            entry,
            inside: BTreeMap::new(),
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new(Entry::DIRECTORY)
    }
}

impl Skeleton {
    /// Adds a mount target with the directories above it. What stands there already stays.
    pub fn add_target(&mut self, path: &Path, is_directory: bool) {
        let entry = if is_directory {
            Entry::DIRECTORY
        } else {
            Entry::File {
                content: vec![],
                mode: 0o644,
            }
        };
        self.add_unless_there(path, entry);
    }

    /// Hides what a layer below has at `path`, where the skeleton is a layer of an overlay. What is added there later
    /// counts.
    pub fn add_absent(&mut self, path: &Path) {
        self.add_unless_there(path, Entry::Absent);
    }

    /// Adds a directory of this mode with the directories above it.
    pub fn add_directory(&mut self, path: &Path, mode: u32) {
        self.insert(path, Entry::Directory { mode, hides: false });
    }

    /// Adds a directory that hides the one of the layer below, where the skeleton is a layer of an overlay. Only root
    /// can make it.
    pub fn add_hiding(&mut self, path: &Path) {
        let entry = Entry::Directory {
            mode: 0o755,
            hides: true,
        };
        self.insert(path, entry);
    }

    /// Adds a file with the directories above it.
    pub fn add_file(&mut self, path: &Path, content: Vec<u8>) {
        let mode = 0o644;
        self.insert(path, Entry::File { content, mode });
    }

    /// Adds a symbolic link with the directories above it.
    pub fn add_link(&mut self, path: &Path, target: &Path) {
        self.insert(path, Entry::Link(target.to_path_buf()));
    }

    /// What stands at `path`.
    pub(crate) fn entry(&self, path: &Path) -> Option<&Entry> {
        let mut node = None;
        for name in names(path) {
            node = Some(node.unwrap_or(&self.root).inside.get(name)?);
        }
        node.map(|node| &node.entry)
    }

    pub(super) fn insert(&mut self, path: &Path, entry: Entry) {
        self.node(path).entry = entry;
    }

    fn add_unless_there(&mut self, path: &Path, entry: Entry) {
        let node = self.node(path);
        if node.entry == Entry::Absent {
            node.entry = entry;
        }
    }

    /// The one at `path`, below directories: absent where nothing was.
    fn node(&mut self, path: &Path) -> &mut Node {
        let mut node = &mut self.root;
        for name in names(path) {
            if node.entry == Entry::Absent {
                node.entry = Entry::DIRECTORY;
            }
            let inside = node.inside.entry(name.to_owned());
            node = inside.or_insert_with(|| Node::new(Entry::Absent));
        }
        node
    }

    /// Makes the tree in `root`, a fresh directory of the caller's.
    ///
    /// # Errors
    /// The path inside and the cause.
    pub fn make(&self, root: &Path) -> Result<(), (PathBuf, io::Error)> {
        Maker::make(root, &self.root)
    }
}

fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    })
}

/// The tree is made by us in a fresh directory and holds no link that we follow, so joining is safe here.
pub(super) fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(names(path).collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::bundle::maker::set_mode;

    #[test]
    fn a_tree_is_made_from_its_leaves() {
        let mut skeleton = Skeleton::default();
        skeleton.add_target(Path::new("/usr/lib"), true);
        skeleton.add_target(Path::new("/usr/bin/solver"), false);
        skeleton.add_link(Path::new("/lib"), Path::new("usr/lib"));
        skeleton.add_file(Path::new("/etc/passwd"), b"x".to_vec());
        skeleton.add_directory(Path::new("/var/empty"), 0o700);
        skeleton.add_target(Path::new("/var/empty"), true);
        let root = tempfile::tempdir().unwrap();
        skeleton.make(root.path()).unwrap();
        assert!(root.path().join("usr/bin/solver").is_file());
        assert_eq!(std::fs::read(root.path().join("etc/passwd")).unwrap(), b"x");
        let empty = root.path().join("var/empty").metadata().unwrap();
        assert_eq!(empty.permissions().mode() & 0o777, 0o700);
        assert_eq!(
            root.path().join("lib").read_link().unwrap(),
            Path::new("usr/lib")
        );
    }

    /// In a directory that hands on its group and its group's bit, which no file gets.
    #[test]
    fn modes_are_what_was_asked_for_whatever_a_directory_hands_on() {
        let root = tempfile::tempdir().unwrap();
        set_mode(root.path(), 0o2755).unwrap();
        let mut skeleton = Skeleton::default();
        for path in ["/a/b", "/c", "/d/e"] {
            skeleton.add_file(Path::new(&format!("{path}/file")), vec![]);
        }
        skeleton.add_directory(Path::new("/tmp"), 0o1777);
        skeleton.make(root.path()).unwrap();
        let modes = [
            ("a", 0o755),
            ("a/b", 0o755),
            ("a/b/file", 0o644),
            ("c/file", 0o644),
            ("d/e", 0o755),
            ("tmp", 0o1777),
        ];
        for (path, mode) in modes {
            let found = root.path().join(path).metadata().unwrap();
            assert_eq!(found.permissions().mode() & 0o7777, mode, "{path}");
        }
    }

    #[test]
    fn what_stands_at_a_path_is_what_was_added_there() {
        let mut skeleton = Skeleton::default();
        assert_eq!(skeleton.entry(Path::new("/")), None);
        skeleton.add_absent(Path::new("/a/b"));
        assert_eq!(skeleton.entry(Path::new("/a")), Some(&Entry::DIRECTORY));
        assert_eq!(skeleton.entry(Path::new("/a/b")), Some(&Entry::Absent));
        assert_eq!(skeleton.entry(Path::new("/a/b/c")), None);
        skeleton.add_target(Path::new("/a/b/c/"), true);
        assert_eq!(skeleton.entry(Path::new("/a/b")), Some(&Entry::DIRECTORY));
        skeleton.add_link(Path::new("/a/b/c"), Path::new("d"));
        skeleton.add_target(Path::new("/a/b//c"), true);
        let link = Entry::Link("d".into());
        assert_eq!(skeleton.entry(Path::new("/a/b/c")), Some(&link));
    }

    /// Neither outside by a link, nor into what isn't there.
    #[test]
    fn what_cannot_be_made_is_told_with_its_path() {
        let outside = tempfile::tempdir().unwrap();
        let made = |skeleton: &Skeleton| {
            let root = tempfile::tempdir().unwrap();
            skeleton.make(root.path()).map_err(|(path, _)| path)
        };
        for entry in [
            Entry::Link(outside.path().to_path_buf()),
            Entry::File {
                content: vec![],
                mode: 0o644,
            },
        ] {
            let mut skeleton = Skeleton::default();
            skeleton.add_target(Path::new("/a/link/below"), true);
            skeleton.insert(Path::new("/a/link"), entry);
            assert_eq!(made(&skeleton), Err("/a/link".into()));
        }
        assert_eq!(outside.path().read_dir().unwrap().count(), 0);
        let mut skeleton = Skeleton::default();
        skeleton.add_directory(Path::new("/"), 0o700);
        assert_eq!(made(&skeleton), Err("/".into()));
    }
}
