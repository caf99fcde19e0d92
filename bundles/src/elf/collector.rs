//! The list of files as it grows.
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::error::ElfError;
use super::{Dependency, Resolution, Role};
use crate::bundle::Follower;

#[derive(Debug)]
pub(super) struct Collector {
    files: Vec<Dependency>,
    seen: HashSet<PathBuf>,
    follower: Follower,
    limit: usize,
    loader_config: Option<PathBuf>,
    notes: Vec<String>,
}

impl Collector {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            files: Vec::new(),
            seen: HashSet::new(),
            follower: Follower::default(),
            limit,
            loader_config: None,
            notes: Vec::new(),
        }
    }

    /// The first reason to need a file is the one that stays.
    pub(super) fn add(&mut self, path: &Path, role: Role, reason: String) -> Result<(), ElfError> {
        if self.seen.contains(path) {
            return Ok(());
        }
        if self.files.len() >= self.limit {
            return Err(ElfError::Limit {
                path: path.to_owned(),
                what: "files for one command",
                limit: self.limit,
            });
        }
        let canonical = self.canonicalize(path)?;
        self.seen.insert(path.to_owned());
        self.files.push(Dependency {
            path: path.to_owned(),
            canonical,
            role,
            reason,
        });
        Ok(())
    }

    pub(super) fn canonicalize(&mut self, path: &Path) -> Result<PathBuf, ElfError> {
        let canonical = self.follower.canonicalize(path);
        canonical.map_err(|source| ElfError::Read {
            path: path.to_owned(),
            source,
        })
    }

    pub(super) fn need_loader_config(&mut self, path: &Path) {
        self.loader_config.get_or_insert_with(|| path.to_owned());
    }

    /// Something that isn't as it could be, and that a person may want to know.
    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// The list, and what was learnt of paths on the way.
    pub(super) fn finish(self) -> (Resolution, Follower) {
        let resolution = Resolution {
            files: self.files,
            loader_config: self.loader_config,
            notes: self.notes,
        };
        (resolution, self.follower)
    }
}
