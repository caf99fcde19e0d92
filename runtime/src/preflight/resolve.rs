//! Where in a root file system a path leads, with its links followed as the container would.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use bundles::bundle::names;
use rustix::fs::{FileType, OFlags, fstat, readlinkat};
use rustix::io::Errno;

use crate::below::open_below;

/// As many links as the kernel follows: path_resolution(7).
const MAX_LINKS: usize = 40;

/// The path without links to which `path` leads below `root`; what isn't there is taken as it is named, and
/// `..` stays below `root`.
///
/// Nothing is followed by the kernel on the way: each component is opened below `root` without its links.
///
/// # Errors
/// `ELOOP` for too many links, `ENOTDIR` for a path through a file.
pub(super) fn resolve(root: BorrowedFd<'_>, path: &Path) -> Result<PathBuf, Errno> {
    let mut resolved: Vec<OsString> = vec![];
    let mut rest: VecDeque<OsString> = names(path);
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            resolved.pop();
            continue;
        }
        let here: PathBuf = resolved.iter().chain([&name]).collect();
        let Some(target) = link_target(root, &here)? else {
            resolved.push(name);
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        if target.is_absolute() {
            resolved.clear();
        }
        for name in names(&target).into_iter().rev() {
            rest.push_front(name);
        }
    }
    Ok(Path::new("/").join(resolved.iter().collect::<PathBuf>()))
}

/// Where the link at `path` leads; `None` where there is no link, or nothing.
fn link_target(root: BorrowedFd<'_>, path: &Path) -> Result<Option<PathBuf>, Errno> {
    let found = match open_below(root, path, OFlags::NOFOLLOW) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::Symlink {
        return Ok(None);
    }
    let target = readlinkat(&found, "", vec![])?;
    Ok(Some(OsString::from_vec(target.into_bytes()).into()))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        std::fs::create_dir_all(path.join("run/lock")).unwrap();
        std::fs::create_dir_all(path.join("var/log")).unwrap();
        std::fs::write(path.join("file"), "").unwrap();
        for (link, target) in [
            ("var/run", "/run"),
            ("var/lock", "../run/lock"),
            ("up", "../../../run"),
            ("dangling", "/not/there"),
            ("loop", "loop"),
            ("host", "/etc"),
        ] {
            symlink(target, path.join(link)).unwrap();
        }
        let directory = File::open(path).unwrap();
        for (given, leads_to) in [
            ("/var/run/x", "/run/x"),
            ("/var/lock", "/run/lock"),
            ("/up/new", "/run/new"),
            ("/dangling/x", "/not/there/x"),
            ("/host/passwd", "/etc/passwd"),
            ("/var/run/../log", "/log"),
            ("/new/../var/./log", "/var/log"),
            ("/../../run", "/run"),
            ("relative/x", "/relative/x"),
            ("/", "/"),
        ] {
            let found = resolve(directory.as_fd(), Path::new(given));
            assert_eq!(found, Ok(PathBuf::from(leads_to)), "{given}");
        }
        assert_eq!(
            resolve(directory.as_fd(), Path::new("/loop/x")),
            Err(Errno::LOOP)
        );
        assert_eq!(
            resolve(directory.as_fd(), Path::new("/file/x")),
            Err(Errno::NOTDIR)
        );
    }
}
