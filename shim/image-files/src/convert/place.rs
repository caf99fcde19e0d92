//! Where what is made is to be.

use std::path::Path;
use std::{fs, io};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, fsync, openat, renameat_with};

use super::error::ConvertError;

/// Where what is made is to be.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// What isn't there yet.
    pub path: &'a Path,
    /// Whether what is there may be replaced; never a directory.
    pub replace: bool,
}

impl<'a> Place<'a> {
    /// The directory that it is in.
    pub fn above(&self) -> &'a Path {
        match self.path.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        }
    }

    /// Fails where something is there that may not be replaced.
    ///
    /// # Errors
    /// [`ConvertError`].
    pub fn must_be_free(&self) -> Result<(), ConvertError> {
        let path = self.path;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(ConvertError::io("look at", path)(error)),
            Ok(found) if self.replace && !found.is_dir() => Ok(()),
            Ok(_) => Err(ConvertError::Exists(path.to_path_buf())),
        }
    }

    /// Moves what was made there, once it is on the disk.
    ///
    /// # Errors
    /// [`ConvertError`]; what is there is then what was.
    pub fn put(&self, made: &Path) -> Result<(), ConvertError> {
        sync(made)?;
        let flags = match self.replace {
            true => RenameFlags::empty(),
            false => RenameFlags::NOREPLACE,
        };
        match renameat_with(CWD, made, CWD, self.path, flags) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => {
                return Err(ConvertError::Exists(self.path.to_path_buf()));
            }
            Err(errno) => return Err(ConvertError::io("rename to", self.path)(errno)),
        }
        sync(self.above())
    }
}

fn sync(path: &Path) -> Result<(), ConvertError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
        .and_then(fsync)
        .map_err(ConvertError::io("write to the disk", path))
}
