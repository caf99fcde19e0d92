//! The site's files for `/etc`, read before anything is mounted: once there is a user namespace, nobody can tell root's
//! files from others'.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::ContainerError;
use crate::shifter::Config;
use crate::shifter::trusted::{self, TrustError};

/// The most that a file of `etcPath` may hold, in bytes: it is copied into every container.
const MAX_SIZE: u64 = 16 << 20;

/// The files of `etcPath`, by name and in order; only `passwd` where the site has `/etc` made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteFiles {
    directory: PathBuf,
    files: Vec<(String, Vec<u8>)>,
}

impl SiteFiles {
    /// Reads them, with all that leads to them, from `owners`' alone: [`trusted::ROOT`].
    ///
    /// # Errors
    /// [`ContainerError`], naming the file: one that isn't there though a container needs it, that can't be read, or
    /// that others could have written.
    pub fn read(config: &Config, owners: &[u32]) -> Result<Self, ContainerError> {
        let directory = config.etc_path.clone().unwrap_or_default();
        let files = if !config.populate_etc {
            all(&directory, owners)?
        } else if directory.join("passwd").exists() {
            let passwd = read(&directory.join("passwd"), owners)?;
            vec![("passwd".to_owned(), passwd)]
        } else {
            vec![]
        };
        Ok(Self { directory, files })
    }

    /// Where the file `name` is, or would be.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The text of the file `name`.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let mut files = self.files.iter();
        let (_, content) = files.find(|(known, _)| known == name)?;
        Some(String::from_utf8_lossy(content).into_owned())
    }

    /// All of them.
    pub(super) fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }
}

fn all(directory: &Path, owners: &[u32]) -> Result<Vec<(String, Vec<u8>)>, ContainerError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| ContainerError::File {
            key: "etcPath".to_owned(),
            path,
            source,
        }
    };
    let mut files = vec![];
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let entry = entry.map_err(failed(directory))?;
        let path = entry.path();
        // What a link leads to counts, as for cp.
        if !fs::metadata(&path).map_err(failed(&path))?.is_file() {
            continue;
        }
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| ContainerError::NotText(path.clone()))?;
        files.push((name, read(&path, owners)?));
    }
    for needed in ["passwd", "group", "nsswitch.conf"] {
        if !files.iter().any(|(name, _)| name == needed) {
            let path = directory.join(needed);
            return Err(failed(&path)(Errno::NOENT.into()));
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path, owners: &[u32]) -> Result<Vec<u8>, ContainerError> {
    let failed = |source: TrustError| ContainerError::Untrusted {
        key: "etcPath".to_owned(),
        source,
    };
    trusted::read(path, owners, MAX_SIZE).map_err(failed)
}
