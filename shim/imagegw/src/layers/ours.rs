//! The names that the layer at hand has made or named: what it takes away is of the layers below.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};

/// Few bytes for each, since there can be millions.
#[derive(Debug, Default)]
pub(super) struct Ours {
    hashes: HashSet<u64>,
    hasher: RandomState,
}

impl Ours {
    /// The next layer begins.
    pub(super) fn clear(&mut self) {
        self.hashes.clear();
    }

    /// A name in a directory, which is given by a number.
    pub(super) fn insert(&mut self, directory: u64, name: &OsStr) {
        self.hashes.insert(self.hasher.hash_one((directory, name)));
    }

    pub(super) fn contains(&self, directory: u64, name: &OsStr) -> bool {
        self.hashes
            .contains(&self.hasher.hash_one((directory, name)))
    }
}
