//! The root file system of a bundle that mounts everything: directories, links, mount targets, and files of the
//! site's.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::Occupied;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat};
use rustix::io::Errno;

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

/// The attribute by which overlayfs knows that a directory hides the one below it.
const HIDES: &str = "trusted.overlay.opaque";

/// A tree of directories, files and links, by path inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skeleton {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Skeleton {
    /// Adds a mount target with the directories above it. What stands there already stays.
    pub fn add_target(&mut self, path: &Path, is_directory: bool) {
        self.add_parents(path);
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
        self.add_parents(path);
        self.add_unless_there(path, Entry::Absent);
    }

    /// Adds a directory of this mode with the directories above it.
    pub fn add_directory(&mut self, path: &Path, mode: u32) {
        self.add_parents(path);
        let entry = Entry::Directory { mode, hides: false };
        self.entries.insert(path.to_path_buf(), entry);
    }

    /// Adds a directory that hides the one of the layer below, where the skeleton is a layer of an overlay. Only root
    /// can make it.
    pub fn add_hiding(&mut self, path: &Path) {
        self.add_parents(path);
        let entry = Entry::Directory {
            mode: 0o755,
            hides: true,
        };
        self.entries.insert(path.to_path_buf(), entry);
    }

    /// Adds a file with the directories above it.
    pub fn add_file(&mut self, path: &Path, content: Vec<u8>) {
        self.add_parents(path);
        let mode = 0o644;
        self.entries
            .insert(path.to_path_buf(), Entry::File { content, mode });
    }

    /// What stands at `path`.
    pub(crate) fn entry(&self, path: &Path) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Adds a symbolic link with the directories above it.
    pub fn add_link(&mut self, path: &Path, target: &Path) {
        self.add_parents(path);
        self.entries
            .insert(path.to_path_buf(), Entry::Link(target.to_path_buf()));
    }

    pub(super) fn insert(&mut self, path: PathBuf, entry: Entry) {
        self.entries.insert(path, entry);
    }

    fn add_parents(&mut self, path: &Path) {
        let parents = path.ancestors().skip(1);
        for parent in parents.take_while(|parent| parent.parent().is_some()) {
            // What is there has its own parents.
            if !self.add_unless_there(parent, Entry::DIRECTORY) {
                return;
            }
        }
    }

    /// Whether it wasn't there.
    fn add_unless_there(&mut self, path: &Path, entry: Entry) -> bool {
        let there = self.entries.entry(path.to_path_buf());
        if matches!(&there, Occupied(there) if *there.get() != Entry::Absent) {
            return false;
        }
        there.insert_entry(entry);
        true
    }

    /// Makes the tree in `root`, a fresh directory of the caller's.
    ///
    /// # Errors
    /// The path inside and the cause.
    pub fn make(&self, root: &Path) -> Result<(), (PathBuf, io::Error)> {
        let mut maker = Maker::within(root).map_err(|error| (PathBuf::from("/"), error))?;
        // The map is sorted, so a directory comes before what is in it.
        for (path, entry) in &self.entries {
            maker
                .make(&inside(root, path), entry)
                .map_err(|error| (path.clone(), error))?;
        }
        Ok(())
    }
}

/// Makes entries of one tree.
#[derive(Debug)]
struct Maker {
    /// Bits of a mode that something here was given as asked: neither the caller's umask nor a default access list takes
    /// them, and nobody has to set them again.
    given: u32,
    /// Whether a directory hands on the bit of its group, so that another is given more than was asked.
    hands_on: bool,
}

impl Maker {
    fn within(root: &Path) -> io::Result<Self> {
        let mode = root.metadata()?.permissions().mode();
        Ok(Self {
            given: 0,
            hands_on: mode & libc::S_ISGID != 0,
        })
    }

    fn make(&mut self, path: &Path, entry: &Entry) -> io::Result<()> {
        match entry {
            Entry::Directory { mode, hides } => {
                DirBuilder::new().mode(*mode).create(path)?;
                if *hides {
                    rustix::fs::setxattr(path, HIDES, b"y", XattrFlags::CREATE)?;
                }
                self.see_to_mode(path, *mode)
            }
            Entry::File { content, mode } => {
                let mut options = OpenOptions::new();
                let made = options.write(true).create_new(true).mode(*mode).open(path);
                made?.write_all(content)?;
                self.see_to_mode(path, *mode)
            }
            Entry::Link(target) => symlink(target, path),
            Entry::Absent => make_whiteout(path),
        }
    }

    /// Whatever the caller's umask is, the sandbox's own user must be able to pass.
    fn see_to_mode(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        self.hands_on |= mode & libc::S_ISGID != 0;
        if !self.hands_on && mode & !self.given == 0 {
            return Ok(());
        }
        let has = path.symlink_metadata()?.permissions().mode() & 0o7777;
        if has != mode {
            return set_mode(path, mode);
        }
        self.given |= mode;
        Ok(())
    }
}

/// Anybody can make one: the kernel knows that this device leads nowhere.
fn make_whiteout(path: &Path) -> io::Result<()> {
    let kind = FileType::CharacterDevice;
    Ok(mknodat(CWD, path, kind, Mode::empty(), 0)?)
}

/// Whether the directory hides the one of a layer below.
pub(super) fn is_hiding(path: &Path) -> io::Result<bool> {
    let mut value = [0];
    match rustix::fs::lgetxattr(path, HIDES, &mut value) {
        Ok(_) => Ok(true),
        // Without root's privileges there is no such attribute.
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// The tree is made by us in a fresh directory and holds no link that we follow, so joining is safe here.
pub(super) fn inside(root: &Path, path: &Path) -> PathBuf {
    let names = path
        .components()
        .filter(|component| matches!(component, Component::Normal(_)));
    root.join(names.collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
