//! A project's files as they were, to tell which of them a command changed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The most directories in each other that are looked into.
const DEEPEST: usize = 64;

/// The most files that are told of.
const MOST: usize = 100_000;

/// What tells a file from what it was: inode number, size, time of its last writing.
type Stamp = (u64, u64, i64, i64);

/// Files by their paths.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest(BTreeMap<PathBuf, Stamp>);

impl Manifest {
    /// Of everything below `project`, without following a link.
    ///
    /// # Errors
    /// Those of readdir(3) and lstat(2).
    pub fn of(project: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let mut waiting = vec![(PathBuf::new(), 0)];
        while let Some((directory, depth)) = waiting.pop() {
            for entry in fs::read_dir(project.join(&directory))? {
                let entry = entry?;
                let path = directory.join(entry.file_name());
                let found = entry.metadata()?;
                if found.is_dir() && depth < DEEPEST {
                    waiting.push((path, depth + 1));
                } else if found.is_file() && files.len() < MOST {
                    let stamp = (found.ino(), found.len(), found.mtime(), found.mtime_nsec());
                    files.insert(path, stamp);
                }
            }
        }
        Ok(Self(files))
    }

    /// Files that are new or different since `before`.
    pub fn changed_since(&self, before: &Self) -> Vec<PathBuf> {
        self.0
            .iter()
            .filter(|(path, stamp)| before.0.get(*path) != Some(stamp))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// Keeps it in a file.
    ///
    /// # Errors
    /// Those of write(2).
    pub fn save(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_vec(&self)?)
    }

    /// As it was saved.
    ///
    /// # Errors
    /// Where there is none.
    pub fn load(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}
