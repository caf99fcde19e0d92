//! The list of files as it grows.
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::error::ElfError;
use super::{Dependency, Resolution, Role};

#[derive(Debug)]
pub(super) struct Collector {
    files: Vec<Dependency>,
    seen: HashSet<PathBuf>,
    limit: usize,
    loader_config: Option<PathBuf>,
    notes: Vec<String>,
}

impl Collector {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            files: Vec::new(),
            seen: HashSet::new(),
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
        let canonical = std::fs::canonicalize(path).map_err(|source| ElfError::Read {
            path: path.to_owned(),
            source,
        })?;
        self.seen.insert(path.to_owned());
        self.files.push(Dependency {
            path: path.to_owned(),
            canonical,
            role,
            reason,
        });
        Ok(())
    }

    pub(super) fn need_loader_config(&mut self, path: &Path) {
        self.loader_config.get_or_insert_with(|| path.to_owned());
    }

    /// Something that isn't as it could be, and that a person may want to know.
    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    pub(super) fn finish(self) -> Resolution {
        Resolution {
            files: self.files,
            loader_config: self.loader_config,
            notes: self.notes,
        }
    }
}
