//! A skeleton that was made, and changed by others since, read back.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Skeleton;
use super::maker::is_hiding;
use super::skeleton::{Entry, inside};

/// The most that the files of a tree may hold together, in bytes: they are in memory.
const MAX_SIZE: u64 = 64 << 20;

impl Skeleton {
    /// Reads the tree in `root`, which nobody but root may write. What is mounted in it, at the paths `mounted` inside,
    /// isn't looked into: those are mount targets.
    ///
    /// # Errors
    /// The path inside and the cause: what a skeleton can't hold, such as devices and what isn't `owner`'s.
    pub fn read(
        root: &Path,
        mounted: &[PathBuf],
        owner: u32,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let mut skeleton = Self::default();
        let mut left = MAX_SIZE;
        let mut directories = vec![PathBuf::from("/")];
        while let Some(directory) = directories.pop() {
            let failed = |error| (directory.clone(), error);
            for entry in fs::read_dir(inside(root, &directory)).map_err(failed)? {
                let path = directory.join(entry.map_err(failed)?.file_name());
                let here = inside(root, &path);
                let found = read_entry(&here, mounted.contains(&path), owner, &mut left)
                    .map_err(|error| (path.clone(), error))?;
                if matches!(found, Entry::Directory { .. }) && !mounted.contains(&path) {
                    directories.push(path.clone());
                }
                skeleton.insert(&path, found);
            }
        }
        Ok(skeleton)
    }
}

fn read_entry(path: &Path, is_mounted: bool, owner: u32, left: &mut u64) -> io::Result<Entry> {
    let status = fs::symlink_metadata(path)?;
    let kind = status.file_type();
    if is_mounted {
        return Ok(match kind.is_dir() {
            true => Entry::DIRECTORY,
            false => Entry::File {
                content: vec![],
                mode: 0o644,
            },
        });
    }
    if status.uid() != owner {
        let uid = status.uid();
        return Err(io::Error::other(format!(
            "belongs to uid {uid}, not to {owner}"
        )));
    }
    let mode = status.permissions().mode();
    if kind.is_dir() {
        return Ok(Entry::Directory {
            mode: mode & 0o1777,
            hides: is_hiding(path)?,
        });
    }
    if kind.is_symlink() {
        return Ok(Entry::Link(fs::read_link(path)?));
    }
    if !kind.is_file() {
        return Err(io::Error::other(
            "is neither a directory, a regular file nor a symbolic link",
        ));
    }
    *left = left.checked_sub(status.len()).ok_or_else(|| {
        io::Error::other(format!("with it, files hold more than {MAX_SIZE} bytes"))
    })?;
    Ok(Entry::File {
        content: fs::read(path)?,
        mode: mode & 0o777,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn owner_of(path: &Path) -> u32 {
        path.metadata().unwrap().uid()
    }

    #[test]
    fn what_was_made_and_what_was_added_is_read_back() {
        let mut skeleton = Skeleton::default();
        skeleton.add_file(Path::new("/etc/passwd"), b"x".to_vec());
        skeleton.add_link(Path::new("/etc/mtab"), Path::new("/proc/mounts"));
        skeleton.add_directory(Path::new("/var/empty"), 0o700);
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        let owner = owner_of(root);
        skeleton.make(root).unwrap();
        assert_eq!(Skeleton::read(root, &[], owner).unwrap(), skeleton);
        fs::create_dir(root.join("scratch")).unwrap();
        fs::set_permissions(root.join("scratch"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::write(root.join("scratch/tool"), "y").unwrap();
        fs::set_permissions(
            root.join("scratch/tool"),
            fs::Permissions::from_mode(0o4755),
        )
        .unwrap();
        symlink("tool", root.join("scratch/link")).unwrap();
        fs::remove_file(root.join("etc/passwd")).unwrap();
        let changed = Skeleton::read(root, &[], owner).unwrap();
        assert_eq!(changed.entry(Path::new("/etc/passwd")), None);
        let tool = changed.entry(Path::new("/scratch/tool"));
        let plain = Entry::File {
            content: b"y".to_vec(),
            mode: 0o755,
        };
        assert_eq!(tool, Some(&plain), "no setuid bit");
        let scratch = changed.entry(Path::new("/scratch"));
        assert!(matches!(
            scratch,
            Some(Entry::Directory { mode: 0o1777, .. })
        ));
        // What is mounted is a target.
        let mounted = Skeleton::read(root, &["/scratch".into()], owner).unwrap();
        assert_eq!(
            mounted.entry(Path::new("/scratch")),
            Some(&Entry::DIRECTORY)
        );
        assert_eq!(mounted.entry(Path::new("/scratch/tool")), None);
    }

    #[test]
    fn what_a_skeleton_can_not_hold_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        let refused = |owner| {
            let (path, error) = Skeleton::read(root, &[], owner).unwrap_err();
            format!("{} {error}", path.display())
        };
        let _socket = UnixListener::bind(root.join("socket")).unwrap();
        assert!(refused(owner_of(root)).starts_with("/socket is neither"));
        fs::remove_file(root.join("socket")).unwrap();
        let large = fs::File::create(root.join("large")).unwrap();
        large.set_len(MAX_SIZE + 1).unwrap();
        assert!(refused(owner_of(root)).contains("more than"));
        assert!(refused(77).contains("belongs to uid"));
    }
}
