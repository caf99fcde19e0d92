//! Lending a directory to a container's own ids, where its file system can't map ids: every file of the owner's
//! in it becomes the borrower's, and goes back when the container is gone.
//!
//! What was lent is written down before the first file changes hands. So whoever cleans up, the guardian of a
//! killed run or a later one, can give it back.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, open};
use serde::{Deserialize, Serialize};

use super::prepare::can_map_ids;
use super::whole_file::{PRIVATE, write_whole};
use super::{Error, Result, Store};
use tree::Tree;

mod tree;

/// In the directory of what is made for one run.
const RECORD: &str = "loan.json";

/// Whose files are lent to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Ids {
    uid: u32,
    gid: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    directory: PathBuf,
    /// By which it is known again, whatever its path leads to by then.
    device: u64,
    inode: u64,
    owner: Ids,
    borrower: Ids,
}

/// A directory that is lent. Nobody else can lend it while this is held.
#[derive(Debug)]
pub struct Loan {
    _lock: OwnedFd,
}

/// Whether ids can be mapped in `directory`. Only root can find out.
///
/// # Errors
/// Where it can't be opened, or the kernel refuses for another reason than that it can't.
pub fn maps_ids(directory: &Path) -> Result<bool> {
    can_map_ids(directory).map_err(Error::io("map ids in", directory))
}

impl Store {
    /// Lends `directory`, all files in it that are its owner's, to the uid and gid `borrower`, for the run `id`,
    /// whose scratch directory must be there.
    ///
    /// # Errors
    /// Where it is lent already, or its files can't change hands; then all are back.
    pub fn lend(&self, id: &str, directory: &Path, borrower: u32) -> Result<Loan> {
        let failed = || Error::io("lend", directory);
        let descriptor = open_directory(directory).map_err(failed())?;
        flock(&descriptor, FlockOperation::NonBlockingLockExclusive).map_err(|errno| {
            let busy = io::Error::new(
                io::ErrorKind::ResourceBusy,
                "its file system can't map ids, and another execution has it",
            );
            let is_lent = errno == rustix::io::Errno::WOULDBLOCK;
            failed()(if is_lent { busy } else { errno.into() })
        })?;
        let stat = fstat(&descriptor).map_err(|errno| failed()(errno.into()))?;
        let record = Record {
            directory: directory.to_path_buf(),
            device: stat.st_dev,
            inode: stat.st_ino,
            owner: Ids {
                uid: stat.st_uid,
                gid: stat.st_gid,
            },
            borrower: Ids {
                uid: borrower,
                gid: borrower,
            },
        };
        let path = self.scratch(id)?.join(RECORD);
        let text = serde_json::to_vec(&record).map_err(|error| failed()(error.into()))?;
        write_whole(&path, PRIVATE, &text).map_err(Error::io("write", &path))?;
        // What has changed hands goes back with the scratch directory.
        Tree::at(&descriptor, record.owner, record.borrower)
            .and_then(Tree::hand_over)
            .map_err(failed())?;
        Ok(Loan { _lock: descriptor })
    }
}

/// Gives back what was lent for the run whose scratch directory this is, if anything was.
///
/// # Errors
/// Where a file doesn't go back. The record is still there then.
pub(super) fn give_back(scratch: &Path) -> Result<()> {
    let path = scratch.join(RECORD);
    let text = match std::fs::read(&path) {
        Err(error) if is_absent(&error) => return Ok(()),
        read => read.map_err(Error::io("read", &path))?,
    };
    let record: Record = serde_json::from_slice(&text).map_err(|error| Error::Config {
        path,
        reason: error.to_string(),
    })?;
    let failed = || Error::io("give back", &record.directory);
    let directory = match open_directory(&record.directory) {
        // Gone with all that was in it.
        Err(error) if is_absent(&error) => return Ok(()),
        opened => opened.map_err(failed())?,
    };
    let stat = fstat(&directory).map_err(|errno| failed()(errno.into()))?;
    if (stat.st_dev, stat.st_ino) != (record.device, record.inode) {
        return Ok(());
    }
    Tree::at(&directory, record.borrower, record.owner)
        .and_then(Tree::hand_over)
        .map_err(failed())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)
    )
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    fn ids(path: &Path) -> (u32, u32) {
        let metadata = fs::symlink_metadata(path).unwrap();
        (metadata.uid(), metadata.gid())
    }

    #[test]
    fn what_is_the_owners_changes_hands_and_comes_back() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let (project, other) = (place.path().join("project"), place.path().join("other"));
        fs::create_dir_all(project.join("a/b")).unwrap();
        fs::write(project.join("a/b/file"), "x").unwrap();
        fs::write(project.join("others"), "x").unwrap();
        fs::write(&other, "x").unwrap();
        std::os::unix::fs::symlink(&other, project.join("link")).unwrap();
        for path in ["", "a", "a/b", "a/b/file", "link"] {
            std::os::unix::fs::lchown(project.join(path), Some(1000), Some(1001)).unwrap();
        }
        let store = Store::at(Some(place.path().join("store")));
        let scratch = store.scratch("run").unwrap();
        fs::create_dir(&scratch).unwrap();

        let loan = store.lend("run", &project, 70_000).unwrap();
        for path in ["", "a", "a/b", "a/b/file", "link"] {
            assert_eq!(ids(&project.join(path)), (70_000, 70_000), "{path}");
        }
        assert_eq!(ids(&project.join("others")), (0, 0));
        assert_eq!(ids(&other), (0, 0));
        let error = store.lend("run", &project, 70_064).unwrap_err();
        assert!(error.to_string().contains("lend"), "{error}");
        drop(loan);

        fs::write(project.join("a/new"), "x").unwrap();
        std::os::unix::fs::chown(project.join("a/new"), Some(70_000), Some(70_000)).unwrap();
        give_back(&scratch).unwrap();
        for path in ["", "a", "a/b", "a/b/file", "link", "a/new"] {
            assert_eq!(ids(&project.join(path)), (1000, 1001), "{path}");
        }
        assert_eq!(ids(&project.join("others")), (0, 0));
    }

    #[test]
    fn what_is_not_the_owners_stays_whatever_its_name_is_meanwhile() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let (owners, others) = (place.path().join("owners"), place.path().join("others"));
        fs::write(&owners, "x").unwrap();
        std::os::unix::fs::chown(&owners, Some(1000), Some(1000)).unwrap();
        fs::write(&others, "x").unwrap();
        let file = fs::File::open(&others).unwrap();
        let project = open_directory(place.path()).unwrap();
        let [owner, borrower] = [1000, 70_000].map(|id| Ids { uid: id, gid: id });
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    renameat_with(CWD, &owners, CWD, &others, RenameFlags::EXCHANGE).unwrap();
                }
            });
            let handed = [(owner, borrower), (borrower, owner)].repeat(5000);
            let outcome = handed.into_iter().try_for_each(|(from, to)| {
                let tree = Tree::at(&project, from, to)?;
                tree.hand_over()
            });
            is_done.store(true, Ordering::Relaxed);
            outcome.unwrap();
        });
        assert_eq!(file.metadata().unwrap().uid(), 0);
    }

    #[test]
    fn another_directory_in_its_place_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let project = place.path().join("project");
        fs::create_dir(&project).unwrap();
        let own = nix::unistd::geteuid().as_raw();
        let ids = Ids { uid: own, gid: own };
        let record = Record {
            directory: project.clone(),
            device: 0,
            inode: 0,
            owner: ids,
            borrower: ids,
        };
        let text = serde_json::to_vec(&record).unwrap();
        fs::write(place.path().join(RECORD), text).unwrap();
        give_back(place.path()).unwrap();
        fs::remove_dir(&project).unwrap();
        give_back(place.path()).unwrap();
    }
}
