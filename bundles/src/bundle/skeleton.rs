//! The root file system of a bundle that mounts everything: directories, links and mount targets only.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

/// What stands at a path of the skeleton.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Directory,
    /// An empty file, for a file to be mounted on.
    File,
    Link(PathBuf),
}

/// A tree of directories, empty files and links, by path inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skeleton {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Skeleton {
    /// Adds a mount target with the directories above it.
    pub fn add_target(&mut self, path: &Path, is_directory: bool) {
        self.add_parents(path);
        let entry = if is_directory {
            Entry::Directory
        } else {
            Entry::File
        };
        self.entries.entry(path.to_path_buf()).or_insert(entry);
    }

    /// Adds a symbolic link with the directories above it.
    pub fn add_link(&mut self, path: &Path, target: &Path) {
        self.add_parents(path);
        self.entries
            .insert(path.to_path_buf(), Entry::Link(target.to_path_buf()));
    }

    fn add_parents(&mut self, path: &Path) {
        for parent in path
            .ancestors()
            .skip(1)
            .filter(|path| *path != Path::new("/"))
        {
            self.entries
                .entry(parent.to_path_buf())
                .or_insert(Entry::Directory);
        }
    }

    /// Makes the tree in `root`, a fresh directory of the caller's.
    ///
    /// # Errors
    /// The path inside and the cause.
    pub(super) fn make(&self, root: &Path) -> Result<(), (PathBuf, io::Error)> {
        // The map is sorted, so a directory comes before what is in it.
        for (path, entry) in &self.entries {
            let here = inside(root, path);
            let made = match entry {
                Entry::Directory => {
                    std::fs::create_dir(&here).and_then(|()| set_mode(&here, 0o755))
                }
                Entry::File => std::fs::write(&here, "").and_then(|()| set_mode(&here, 0o644)),
                Entry::Link(target) => symlink(target, &here),
            };
            made.map_err(|error| (path.clone(), error))?;
        }
        Ok(())
    }
}

/// Whatever the caller's umask is, the sandbox's own user must be able to pass.
pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// The tree is made by us in a fresh directory and holds no link that we follow, so joining is safe here.
fn inside(root: &Path, path: &Path) -> PathBuf {
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
        let root = tempfile::tempdir().unwrap();
        skeleton.make(root.path()).unwrap();
        assert!(root.path().join("usr/bin/solver").is_file());
        assert_eq!(
            root.path().join("lib").read_link().unwrap(),
            Path::new("usr/lib")
        );
    }
}
