//! Where names lead, upon whatever layers are laid: links are followed as a process would whose root that is, one by one,
//! and never out of it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::error::LayerError;
use super::name::{DEEPEST, LONGEST};

/// The most links that lead from one name to a directory: the kernel's own limit.
const MOST_LINKS: usize = 40;

/// What a name in a directory is.
pub(super) enum Found<P> {
    /// A directory: it was there, or is made.
    Directory(P),
    /// A link to this path.
    Link(Vec<u8>),
    /// Anything else.
    Other,
}

/// The directories from the root on, without it, and how long the name of each is.
pub(super) struct Way<P>(Vec<(P, usize)>);

impl<P> Way<P> {
    /// The root itself.
    fn root() -> Self {
        Self(vec![])
    }

    /// The directories, from the first.
    pub(super) fn directories(&self) -> impl Iterator<Item = &P> {
        self.0.iter().map(|(directory, _)| directory)
    }

    /// The last of them; none at the root.
    pub(super) fn last(&self) -> Option<&P> {
        self.0.last().map(|(directory, _)| directory)
    }

    /// As a path is long.
    fn length(&self) -> usize {
        let names: usize = self.0.iter().map(|(_, length)| length + 1).sum();
        names.saturating_sub(1)
    }
}

/// The way that `parts` lead. `look` says what a name is in the directory at the end of a way, and makes one where nothing
/// is; `shown` is the entry, for errors.
///
/// # Errors
/// Those of `look`; [`LayerError::Entry`] where there are too many links or directories, or something that is none.
pub(super) fn follow<P>(
    parts: &[OsString],
    shown: &[u8],
    mut look: impl FnMut(&Way<P>, &OsStr) -> Result<Found<P>, LayerError>,
) -> Result<Way<P>, LayerError> {
    let refuse = |reason| Err(LayerError::entry(shown, reason));
    let parts = parts.iter().map(|part| Cow::Borrowed(&**part));
    let mut ahead: VecDeque<Cow<'_, OsStr>> = parts.collect();
    let mut way = Way::root();
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        match part.as_bytes() {
            b"" | b"." => continue,
            b".." => {
                // The root is above itself.
                way.0.pop();
                continue;
            }
            _ => {}
        }
        match look(&way, &part)? {
            Found::Directory(directory) => way.0.push((directory, part.len())),
            Found::Link(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return refuse("lies behind too many links");
                }
                if target.starts_with(b"/") {
                    way = Way::root();
                }
                for part in target.rsplit(|byte| *byte == b'/') {
                    ahead.push_front(Cow::Owned(OsString::from_vec(part.to_vec())));
                }
            }
            Found::Other => return refuse("lies below what is no directory"),
        }
        // Links can make the way longer than any name is.
        if way.0.len() > DEEPEST || way.length() > LONGEST {
            return refuse("is more than 256 directories deep");
        }
    }
    Ok(way)
}
