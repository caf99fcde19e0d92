//! That an execution is begun once, where a server that was killed may have started a process for it, and the next one
//! can't see whether that is to come yet.
//!
//! A process begins with a link in the execution's directory that must not be there. Before a server gives an execution
//! to another process, it makes that link itself: who comes late finds it and ends. A link, for it is there whole or
//! not at all, and says who made it.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Who made a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The process that begins.
    Process,
    /// A server, for a process that must not begin any more.
    Server,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Server => "server",
        }
    }
}

fn link(directory: &Path, number: usize) -> PathBuf {
    directory.join(format!("begun-{number}"))
}

fn count(directory: &Path) -> usize {
    let is_there = |number: &usize| fs::symlink_metadata(link(directory, *number)).is_ok();
    (0..).take_while(is_there).count()
}

/// The link by which the next process begins the execution whose files are in `directory`.
pub fn next(directory: &Path) -> PathBuf {
    link(directory, count(directory))
}

/// Who made the last link; `None` where nobody has begun.
pub fn last(directory: &Path) -> Option<By> {
    let last = count(directory).checked_sub(1)?;
    let says = fs::read_link(link(directory, last)).ok()?;
    [By::Process, By::Server]
        .into_iter()
        .find(|by| says == Path::new(by.as_str()))
}

/// Makes a link: `false` where somebody else did.
///
/// # Errors
/// Those of symlink(2).
pub fn take(link: &Path, by: By) -> io::Result<bool> {
    match symlink(by.as_str(), link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        other => other.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_late_does_not_begin() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path();
        assert_eq!(last(place), None);
        let late = next(place);
        assert!(take(&next(place), By::Server).unwrap());
        assert!(!take(&late, By::Process).unwrap());
        assert_eq!(last(place), Some(By::Server));
        assert!(take(&next(place), By::Process).unwrap());
        assert_eq!(last(place), Some(By::Process));
        take(&place.join("nowhere/begun-0"), By::Process).unwrap_err();
    }
}
