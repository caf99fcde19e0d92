//! The image store: a directory with `ID.meta` and `ID.FORMAT` for each image.
//!
//! Everything is opened below the directory and without following links (openat2), and looked at once it is open. The
//! kernel reads images as root, so none may be of anyone's but root and whoever keeps the store.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};

use super::access::Caller;
use super::meta::{Format, Meta, MetaError};
use crate::shifter::trusted::{self, TrustError};

/// The most that a `.meta` file may hold, in bytes.
const MAX_META: u64 = 1 << 20;

/// The longest identifier, so that every name made of it is one that file systems take.
const MAX_IDENTIFIER: usize = 240;

const OTHERS: u32 = 0o022;

/// An image's name in the store: letters, digits, `_`, `.`, `-`, and the first a letter or digit. It can't lead
/// anywhere else. That of an [image of a user's](Image::of_users) is its path, which nobody looks for in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier(String);

/// Why the store has no such image, or none that may be used. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Not a name of the store's.
    #[error("{0:?} is no identifier of an image: those have letters, digits, _ . and - only")]
    Identifier(String),
    /// The store itself, which others could have put there.
    #[error("image store {0}")]
    Untrusted(#[from] TrustError),
    /// Nothing of this name.
    #[error("there is no image {id} in {}: {missing} is not there", store.display())]
    NoImage {
        /// Its name.
        id: String,
        /// The store.
        store: PathBuf,
        /// Which of its two files.
        missing: String,
    },
    /// There is, but it can't be opened.
    #[error("image {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It isn't what it should be.
    #[error("image {} {problem}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Its `.meta` file.
    #[error("image {0}")]
    Meta(#[from] MetaError),
    /// It is kept to others.
    #[error("image {id}: you are not among those who may use it")]
    NotYours {
        /// Its name.
        id: String,
    },
}

/// A site's images.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    directory: OwnedFd,
    /// Whose the images may be.
    owners: Vec<u32>,
}

/// An image of the store's, open.
#[derive(Debug)]
pub struct Image {
    /// Its name.
    pub id: Identifier,
    /// What its `.meta` file says.
    pub meta: Meta,
    /// The image's file, to be read, or the directory of a [`Format::Vfs`].
    pub file: OwnedFd,
    /// Where that is.
    pub path: PathBuf,
    /// Whether it isn't the store's but any directory of the host's, which its owner can change at any time.
    pub is_local: bool,
}

impl Identifier {
    /// What stands in records for a directory that isn't in the store.
    pub(super) fn of_local(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// Takes `text` for an identifier.
    ///
    /// # Errors
    /// [`StoreError::Identifier`] for what could lead out of the store.
    pub fn new(text: &str) -> Result<Self, StoreError> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins_well && text.chars().all(is_allowed) && text.len() <= MAX_IDENTIFIER {
            return Ok(Self(text.to_owned()));
        }
        Err(StoreError::Identifier(text.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Image {
    /// A user's own file, open, at `path`: of no store, so that its path is its name and nobody says anything about it.
    pub fn of_users(file: OwnedFd, path: PathBuf, format: Format) -> Self {
        Self {
            id: Identifier(path.display().to_string()),
            meta: Meta::saying_nothing(format),
            file,
            path,
            is_local: false,
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Store {
    /// Opens the store at `path`. What leads there has to belong to one of `owners` ([`trusted::ROOT`]); the directory
    /// itself may be the gateway's account's, and then so may the images.
    ///
    /// # Errors
    /// [`StoreError`], naming the part of the path.
    pub fn open(path: &Path, owners: &[u32]) -> Result<Self, StoreError> {
        let failed = |source: io::Error| StoreError::Io {
            path: path.to_path_buf(),
            source,
        };
        let canonical = path.canonicalize().map_err(failed)?;
        let (Some(above), Some(name)) = (canonical.parent(), canonical.file_name()) else {
            return Err(failed(io::ErrorKind::InvalidInput.into()));
        };
        let above = trusted::follow(above, owners)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&above.descriptor, name, flags, Mode::empty())
            .map_err(|errno| failed(errno.into()))?;
        let status = fstat(&directory).map_err(|errno| failed(errno.into()))?;
        if status.st_mode & OTHERS != 0 {
            let path = canonical;
            return Err(unfit(
                path,
                format!(
                    "may be written by others (mode {:04o})",
                    status.st_mode & 0o7777
                ),
            ));
        }
        let mut owners = owners.to_vec();
        owners.push(status.st_uid);
        Ok(Self {
            path: canonical,
            directory,
            owners,
        })
    }

    /// The image `id`, for `caller`.
    ///
    /// # Errors
    /// [`StoreError`], naming the file.
    pub fn image(&self, id: &Identifier, caller: &Caller) -> Result<Image, StoreError> {
        let meta = self.meta(id)?;
        if !meta.access.allows(caller) {
            return Err(StoreError::NotYours { id: id.to_string() });
        }
        let name = format!("{id}.{}", meta.format.extension());
        let path = self.path.join(&name);
        let (flags, wanted) = match meta.format {
            Format::Vfs => (OFlags::PATH, FileType::Directory),
            _ => (OFlags::RDONLY | OFlags::NONBLOCK, FileType::RegularFile),
        };
        let file = self.open_below(&name, flags, wanted, id)?;
        Ok(Image {
            id: id.clone(),
            meta,
            file,
            path,
            is_local: false,
        })
    }

    fn meta(&self, id: &Identifier) -> Result<Meta, StoreError> {
        let name = format!("{id}.meta");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file = self.open_below(&name, flags, FileType::RegularFile, id)?;
        let path = self.path.join(&name);
        let mut text = vec![];
        let read = File::from(file).take(MAX_META + 1).read_to_end(&mut text);
        read.map_err(|source| StoreError::Io {
            path: path.clone(),
            source,
        })?;
        if text.len() as u64 > MAX_META {
            return Err(unfit(path, format!("is longer than {MAX_META} bytes")));
        }
        Ok(Meta::parse(&text, &path)?)
    }

    fn open_below(
        &self,
        name: &str,
        flags: OFlags,
        wanted: FileType,
        id: &Identifier,
    ) -> Result<OwnedFd, StoreError> {
        let path = self.path.join(name);
        let failed = |errno: rustix::io::Errno| StoreError::Io {
            path: path.clone(),
            source: errno.into(),
        };
        let file = match open_beneath(self.directory.as_fd(), Path::new(name), flags) {
            Err(rustix::io::Errno::NOENT) => {
                return Err(StoreError::NoImage {
                    id: id.to_string(),
                    store: self.path.clone(),
                    missing: name.to_owned(),
                });
            }
            Err(rustix::io::Errno::LOOP) => {
                let problem = "is a symbolic link; hint: the store has the files themselves";
                return Err(unfit(path, problem.to_owned()));
            }
            other => other.map_err(failed)?,
        };
        let status = fstat(&file).map_err(failed)?;
        if FileType::from_raw_mode(status.st_mode) != wanted {
            let wanted = match wanted {
                FileType::Directory => "a directory",
                _ => "a regular file",
            };
            return Err(unfit(path, format!("is not {wanted}")));
        }
        if status.st_mode & OTHERS != 0 || !self.owners.contains(&status.st_uid) {
            let (uid, mode) = (status.st_uid, status.st_mode & 0o7777);
            return Err(unfit(
                path,
                format!(
                    "belongs to uid {uid} and has mode {mode:04o}: only root and the store's owner may be able to write it"
                ),
            ));
        }
        Ok(file)
    }
}

fn unfit(path: PathBuf, problem: String) -> StoreError {
    StoreError::Unfit { path, problem }
}

/// Opens what is below `directory`, and nothing that a link leads to.
fn open_beneath(
    directory: BorrowedFd<'_>,
    name: &Path,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    openat2(
        directory,
        name,
        flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
}
