//! The lock of a container: commands that change it hold it.

use std::fs::File;

use rustix::fs::{FlockOperation, OFlags, fcntl_lock};

use crate::container::ownership::StateDirectory;
use crate::container::{Error, Result};

pub(super) const LOCK_FILE: &str = "lock";

/// fcntl(2) says either of a record lock that another process holds.
pub(super) fn is_held(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES))
}

/// Locks a container against other commands, until the file is closed.
///
/// # Errors
/// Those of [`StateDirectory::open_file`] and fcntl(2).
pub(super) fn lock(directory: &StateDirectory, operation: FlockOperation) -> Result<File> {
    let file = directory.open_file(LOCK_FILE, OFlags::WRONLY)?;
    hold(directory, file, operation)
}

/// Locks a container by `file`, its lock file.
///
/// A record lock (fcntl(2)) belongs to this process alone. One of flock(2)'s would be shared with the
/// created process, which is forked from this one and waits for `start` with all its files open.
pub(super) fn hold(
    directory: &StateDirectory,
    file: File,
    operation: FlockOperation,
) -> Result<File> {
    let path = directory.path().join(LOCK_FILE);
    fcntl_lock(&file, operation).map_err(|errno| Error::io("lock", path)(errno.into()))?;
    Ok(file)
}
