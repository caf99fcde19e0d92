//! Images that are on this host: layouts and archives.

mod archive;
mod directory;
mod docker;
mod layout;

use std::io::Read;

use super::error::{PullError, malformed, too_much};

pub(super) use archive::Archive;
pub(super) use directory::Directory;
pub(super) use docker::Docker;
pub(super) use layout::Layout;

/// Files by names with slashes in them: a directory's or an archive's.
pub(super) trait Files {
    /// One of them from a byte on, and its whole size.
    fn open(&self, name: &str, from: u64) -> Result<(Box<dyn Read + '_>, u64), PullError>;
    /// Where they are, for messages.
    fn shown(&self) -> String;
}

/// Reads a document.
fn read(files: &dyn Files, name: &str, most: u64) -> Result<Vec<u8>, PullError> {
    let what = format!("{}: {name}", files.shown());
    let (reader, size) = files.open(name, 0)?;
    if size > most {
        return Err(too_much(&what, most, "bytes"));
    }
    let mut content = vec![];
    match reader.take(most).read_to_end(&mut content) {
        Ok(_) => Ok(content),
        Err(error) => Err(malformed(&what, &error.to_string())),
    }
}
