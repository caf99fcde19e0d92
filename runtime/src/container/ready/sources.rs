//! The files that a ready sandbox shows: by the time of a request there may be others under their names.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bundles::promise::is_bind;
use oci_spec::runtime::Spec;

use crate::container::{Error, Result};

/// The sources of a bundle's bind mounts, by device and inode.
#[derive(Debug)]
pub(super) struct Sources(Vec<(PathBuf, (u64, u64))>);

impl Sources {
    /// Those of `spec`; to be looked at before they are mounted.
    pub(super) fn of(spec: &Spec) -> Result<Self> {
        let binds = spec
            .mounts()
            .iter()
            .flatten()
            .filter(|mount| is_bind(mount));
        let sources = binds.filter_map(|mount| mount.source().clone());
        sources
            .map(|source| {
                let identity =
                    identity(&source).map_err(Error::io("look at the mount's source", &source))?;
                Ok((source, identity))
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Whether a mount made now would show the same files.
    pub(super) fn are_the_same(&self) -> bool {
        let mut all = self.0.iter();
        all.all(|(path, before)| identity(path).is_ok_and(|now| now == *before))
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
