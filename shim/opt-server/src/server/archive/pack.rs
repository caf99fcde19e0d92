//! Packing the files that a command made or changed.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::server::project::open_file;

/// Writes those of `paths` that are regular files below `project` as a gzipped tar archive.
///
/// # Errors
/// Those of read(2) and of `to`.
pub fn pack(project: impl AsFd, paths: &[PathBuf], to: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(to, Compression::fast()));
    for path in paths {
        let file = match open_file(project.as_fd(), path) {
            Ok(file) => file,
            // Something else than when it was listed; the command is gone, so that's its last word.
            Err(_) => continue,
        };
        let found = file.metadata()?;
        let mut header = tar::Header::new_gnu();
        header.set_size(found.len());
        header.set_mode(found.permissions().mode() & 0o777);
        header.set_mtime(modified(&found));
        archive.append_data(&mut header, path, io::Read::take(file, found.len()))?;
    }
    archive.into_inner()?.finish()?.flush()
}

fn modified(found: &std::fs::Metadata) -> u64 {
    let since = found
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.unwrap_or_default().as_secs()
}
