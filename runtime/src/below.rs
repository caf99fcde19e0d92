//! Opening what is below a root file system, by descriptor and never by a joined path.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2};
use rustix::io::Errno;

/// Opens `path`, taken from `root` down, without following any link and without leaving `root`. `kind` adds
/// to `O_PATH`: `O_DIRECTORY` where nothing else will do.
///
/// # Errors
/// `ELOOP` where a link is on the way, and the others of openat2(2).
pub(crate) fn open_below(root: impl AsFd, path: &Path, kind: OFlags) -> Result<OwnedFd, Errno> {
    openat2(
        root,
        path.strip_prefix("/").unwrap_or(path),
        OFlags::PATH | OFlags::CLOEXEC | kind,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
}

/// How often a path is looked up again: openat2(2) gives up on a `..` while anybody renames or mounts anything.
const TRIES: usize = 100;

/// Opens `path` as a process whose root is `root` would find it: links are followed, and stay below `root`.
/// `kind` adds to `O_PATH`.
///
/// # Errors
/// Those of openat2(2).
pub(crate) fn open_in_root(root: impl AsFd, path: &Path, kind: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | kind;
    // The second is in the first, as it is in `BENEATH`; openat2(2) doesn't promise that it stays so.
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut tries = TRIES;
    loop {
        match openat2(&root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if tries > 0 => tries -= 1,
            other => return other,
        }
    }
}

/// Makes the directory `path`, taken from `root` down, with those above it that are missing, and opens it.
///
/// # Errors
/// `ELOOP` where a link is on the way; those of mkdirat(2).
pub(crate) fn make_directories(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let mut directory = root.try_clone_to_owned().map_err(|_| Errno::MFILE)?;
    for component in path.strip_prefix("/").unwrap_or(path).components() {
        let name = Path::new(component.as_os_str());
        match mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        directory = open_below(&directory, name, OFlags::empty())?;
    }
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use rustix::fs::open;

    use super::*;

    /// What is opened in a tree where one link is absolute, one climbs, and one leads out by a process's descriptors.
    #[test]
    fn links_stay_below_the_root_or_are_not_followed() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("root");
        std::fs::create_dir_all(path.join("inside")).unwrap();
        std::fs::create_dir(top.path().join("outside")).unwrap();
        for (name, target) in [
            ("absolute", "/inside"),
            ("climbing", "../../inside"),
            ("out", "../outside"),
            ("magic", "/proc/self/root"),
        ] {
            symlink(target, path.join(name)).unwrap();
        }
        let root = open(&path, OFlags::PATH, Mode::empty()).unwrap();
        let below = |path: &str| open_below(&root, Path::new(path), OFlags::empty()).map(drop);
        let inside = |path: &str| open_in_root(&root, Path::new(path), OFlags::empty()).map(drop);
        assert_eq!(below("/inside"), Ok(()));
        assert_eq!(below("../outside"), Err(Errno::XDEV));
        assert_eq!(inside("../inside"), Ok(()));
        for name in ["absolute", "climbing"] {
            assert_eq!(below(name), Err(Errno::LOOP), "{name}");
            assert_eq!(inside(name), Ok(()), "{name}");
        }
        for name in ["out", "magic"] {
            assert_eq!(below(name), Err(Errno::LOOP), "{name}");
            assert_eq!(inside(name), Err(Errno::NOENT), "{name}");
        }
    }

    /// The kernel gives up on `..` while somebody renames.
    #[test]
    fn a_path_that_climbs_is_found_whoever_renames_meanwhile() {
        // With one processor nobody renames while a path is looked up.
        if std::thread::available_parallelism().is_ok_and(|count| count.get() < 2) {
            return;
        }
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("a/b")).unwrap();
        let names = ["one", "other"].map(|name| top.path().join(name));
        std::fs::create_dir(&names[0]).unwrap();
        let root = open(top.path(), OFlags::PATH, Mode::empty()).unwrap();
        let path = Path::new("a/b/../../a");
        let stop = AtomicBool::new(false);
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut gave_up = 0;
        let mut found = Ok(());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::fs::rename(&names[0], &names[1]).unwrap();
                    std::fs::rename(&names[1], &names[0]).unwrap();
                }
            });
            while gave_up < 10 && found.is_ok() && Instant::now() < deadline {
                let flags = OFlags::PATH | OFlags::CLOEXEC;
                let plain = openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
                gave_up += usize::from(plain.is_err_and(|errno| errno == Errno::AGAIN));
                found = open_in_root(&root, path, OFlags::empty()).map(drop);
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(found, Ok(()));
        assert_eq!(gave_up, 10, "the kernel hardly gave up: nothing was tried");
    }
}
