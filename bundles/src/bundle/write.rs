//! Writing a bundle, and reading back what `config.json` doesn't say.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;

use super::Skeleton;
use super::lines::Lines;
use super::maker::set_mode;

/// The root file system's directory in a bundle of ours.
pub(crate) const ROOTFS: &str = "rootfs";

/// More links than any skeleton has; a root file system that isn't a skeleton isn't searched to its end.
const MAX_LINKS: usize = 1000;

/// A bundle that can't be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The directory is there already.
    #[error("{}: exists already", .0.display())]
    Exists(PathBuf),
    /// A file or directory operation.
    #[error("write {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Writes a bundle into `directory`, which must not exist yet; on an error nothing of it is left.
///
/// # Errors
/// [`BundleError`], naming the path.
pub fn write(directory: &Path, spec: &Spec, skeleton: &Skeleton) -> Result<(), BundleError> {
    make(directory, || {
        fill(directory, skeleton)?;
        write_config(directory, spec)
    })
}

/// Writes a bundle whose root file system is elsewhere; as [`write`].
///
/// # Errors
/// [`BundleError`], naming the path.
pub fn write_without_root(directory: &Path, spec: &Spec) -> Result<(), BundleError> {
    make(directory, || write_config(directory, spec))
}

fn make(
    directory: &Path,
    content: impl FnOnce() -> Result<(), BundleError>,
) -> Result<(), BundleError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => BundleError::Exists(path),
            _ => BundleError::Io { path, source },
        }
    };
    DirBuilder::new()
        .mode(0o700)
        .create(directory)
        .map_err(failed(directory))?;
    content().inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_dir_all(directory);
    })
}

fn fill(directory: &Path, skeleton: &Skeleton) -> Result<(), BundleError> {
    let failed = |path: PathBuf| move |source| BundleError::Io { path, source };
    let rootfs = directory.join(ROOTFS);
    fs::create_dir(&rootfs)
        .and_then(|()| set_mode(&rootfs, 0o755))
        .map_err(failed(rootfs.clone()))?;
    skeleton
        .make(&rootfs)
        .map_err(|(path, source)| BundleError::Io { path, source })
}

/// It comes last: a bundle without one is no bundle. Keys and sets are in a fixed order: the same request gives the same
/// bytes.
fn write_config(directory: &Path, spec: &Spec) -> Result<(), BundleError> {
    let failed = |path: PathBuf| move |source| BundleError::Io { path, source };
    let path = directory.join("config.json");
    let text = Lines::of(spec).map_err(|error| failed(path.clone())(error.into()))?;
    // Under its name it is whole, wherever the writer is killed.
    let begun = directory.join("config.json.new");
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&begun)
        .and_then(|file| text.write_to(file))
        .and_then(|()| fs::rename(&begun, &path))
        .map_err(failed(path))
}

/// The symbolic links of a skeleton, as paths inside with their targets, sorted.
///
/// # Errors
/// Where a directory can't be read.
pub fn links_of(rootfs: &Path) -> io::Result<Vec<(String, String)>> {
    let mut links = vec![];
    let mut directories = vec![rootfs.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_symlink() {
                let inside = path.strip_prefix(rootfs).unwrap_or(&path);
                let target = fs::read_link(&path)?;
                links.push((
                    format!("/{}", inside.display()),
                    target.display().to_string(),
                ));
            }
            if links.len() + directories.len() > MAX_LINKS {
                return Ok(vec![]);
            }
        }
    }
    links.sort();
    Ok(links)
}
