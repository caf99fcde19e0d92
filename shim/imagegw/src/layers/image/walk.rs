//! Where names lead, in an image that is in memory.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use rustix::io::Errno;

use super::{At, Image, ROOT, What};
use crate::layers::error::LayerError;
use crate::layers::name::LONGEST_PART;
use crate::layers::way::{Found, follow};

impl Image {
    /// The directory with these parts. What is missing is made.
    pub(super) fn walk(&mut self, parts: &[OsString], shown: &[u8]) -> Result<u32, LayerError> {
        let way = follow(parts, shown, |way, part| {
            if part.as_bytes().len() > LONGEST_PART {
                let failed = LayerError::io("look at a directory of", shown);
                return Err(failed(Errno::NAMETOOLONG));
            }
            let at = At {
                directory: way.last().copied().unwrap_or(ROOT),
                name: part,
            };
            let number = match self.child(at.directory, at.name) {
                // One that an archive implies.
                None => self.imply(at)?,
                Some(number) => number,
            };
            Ok(
                match self.nodes.get(number as usize).map(|node| &node.what) {
                    Some(What::Directory(_)) => Found::Directory(number),
                    Some(What::Link(target)) => Found::Link(target.to_vec()),
                    _ => Found::Other,
                },
            )
        })?;
        Ok(way.last().copied().unwrap_or(ROOT))
    }
}
