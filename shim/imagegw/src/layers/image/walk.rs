//! Where names lead, in an image that is in memory.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::io::Errno;

use super::{At, Image, ROOT, What};
use crate::layers::error::LayerError;
use crate::layers::name::{DEEPEST, LONGEST, LONGEST_PART};
use crate::layers::tree::MOST_LINKS;

/// The way from the root.
#[derive(Default)]
struct Way(Vec<(u32, usize)>);

impl Way {
    fn end(&self) -> u32 {
        self.0.last().map_or(ROOT, |(number, _)| *number)
    }

    /// As a path is long.
    fn length(&self) -> usize {
        let names: usize = self.0.iter().map(|(_, length)| length + 1).sum();
        names.saturating_sub(1)
    }
}

impl Image {
    /// The directory with these parts. Links are followed as a process would whose root the image is; what is missing is
    /// made.
    pub(super) fn walk(&mut self, parts: &[OsString], shown: &[u8]) -> Result<u32, LayerError> {
        let refuse = |reason| Err(LayerError::entry(shown, reason));
        let mut ahead: VecDeque<Cow<'_, OsStr>> =
            parts.iter().map(|part| Cow::Borrowed(&**part)).collect();
        let mut way = Way::default();
        let mut links = 0;
        while let Some(part) = ahead.pop_front() {
            match part.as_bytes() {
                b"" | b"." => continue,
                b".." => {
                    // The root is above itself.
                    way.0.pop();
                    continue;
                }
                long if long.len() > LONGEST_PART => {
                    let failed = LayerError::io("look at a directory of", shown);
                    return Err(failed(Errno::NAMETOOLONG));
                }
                _ => {}
            }
            let at = At {
                directory: way.end(),
                name: &part,
            };
            let number = match self.child(at.directory, at.name) {
                // One that an archive implies.
                None => self.imply(at)?,
                Some(number) => number,
            };
            match self.nodes.get(number as usize).map(|node| &node.what) {
                Some(What::Directory(_)) => way.0.push((number, part.len())),
                Some(What::Link(target)) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return refuse("lies behind too many links");
                    }
                    if target.starts_with(b"/") {
                        way = Way::default();
                    }
                    for part in target.rsplit(|byte| *byte == b'/') {
                        ahead.push_front(Cow::Owned(OsString::from_vec(part.to_vec())));
                    }
                }
                _ => return refuse("lies below what is no directory"),
            }
            // Links can make the way longer than any name is.
            if way.0.len() > DEEPEST || way.length() > LONGEST {
                return refuse("is more than 256 directories deep");
            }
        }
        Ok(way.end())
    }
}
