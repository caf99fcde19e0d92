//! Into a directory of this host's: written, synced, renamed.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use daemon::WholeFile;

use super::{NEW, TransferError};

/// Only root of the nodes reads images, and the gateway.
const MODE: u32 = 0o600;

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TransferError {
    let path = path.to_path_buf();
    move |source| TransferError::Io {
        operation,
        path,
        source,
    }
}

pub(super) fn put_image(directory: &Path, name: &str, file: &Path) -> Result<(), TransferError> {
    let new = directory.join(format!("{NEW}{name}"));
    let path = directory.join(name);
    let put = move_or_copy(file, &new).and_then(|()| {
        keep_as_it_is(&new);
        fs::rename(&new, &path)
    });
    if put.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&new);
    }
    put.map_err(failed("write", &path))?;
    sync_directory(directory)
}

/// On the same file system nothing is written twice; the file is on the disk already.
fn move_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::set_permissions(from, Permissions::from_mode(MODE))?;
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
        moved => return moved,
    }
    let _ = fs::remove_file(to);
    let mut options = OpenOptions::new();
    let mut copy = options.write(true).create_new(true).mode(MODE).open(to)?;
    io::copy(&mut File::open(from)?, &mut copy)?;
    copy.sync_all()
}

/// Has the kernel see to it that nobody writes to the file any more, where its file system knows fs-verity.
fn keep_as_it_is(file: &Path) {
    let enabled = File::open(file).and_then(|file| image_files::enable_verity(&file));
    if let Err(error) = enabled {
        // Its SHA-256 can be compared all the same.
        tracing::warn!(file = %file.display(), %error, "can't enable fs-verity");
    }
}

pub(super) fn put_meta(directory: &Path, name: &str, text: &[u8]) -> Result<(), TransferError> {
    let path = directory.join(name);
    WholeFile::at(&path)
        .and_then(|file| file.put(text))
        .map_err(failed("write", &path))
}

pub(super) fn has(directory: &Path, name: &str, size: u64) -> bool {
    let found = fs::symlink_metadata(directory.join(name));
    found.is_ok_and(|found| found.is_file() && found.len() == size)
}

pub(super) fn remove(directory: &Path, names: &[String]) -> Result<(), TransferError> {
    for name in names {
        let path = directory.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path)(error));
            }
            _ => {}
        }
    }
    sync_directory(directory)
}

fn sync_directory(directory: &Path) -> Result<(), TransferError> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(failed("sync", directory))
}
