//! Whose a container is, and acting as that user.
//!
//! Engines and Slurm call the runtime as root on containers of ordinary users, whose state those users can
//! write as they like: a pid in it, a cgroup or a hook may be anything. So root becomes the owner of the state
//! before it believes a word of it, and the kernel then judges each step as if the user had done it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open, openat};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::{Error, Result};
use crate::read_at_most::read_at_most;
use crate::sys::{join_new_session_keyring, leave_controlling_terminal};
use crate::users;

/// The largest file of a container's that is read, bytes: a spec of the size that is taken, written again.
const MAX_FILE_SIZE: u64 = 64 << 20;

/// The group of a user that no database knows; nobody's.
const NO_GROUP: Gid = Gid::from_raw(65_534);

/// How long root waits for what a user's containers have to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writable for others than the owner.
const SHARED: u32 = 0o022;

/// A container's directory, held by descriptor: whatever happens to its name, this is the one looked at.
#[derive(Debug)]
pub(super) struct StateDirectory {
    descriptor: OwnedFd,
    path: PathBuf,
    owner: Uid,
    /// Whether root became the owner for it.
    acts_for_owner: bool,
}

impl StateDirectory {
    /// Opens the directory `id` of the store at `root`.
    ///
    /// # Errors
    /// `ENOENT` where there is none, `ENOTDIR` where it is a link or anything else, and `EACCES` for an
    /// ordinary user where it is another's.
    pub(super) fn open(root: &Path, id: &str) -> Result<Self> {
        let path = root.join(id);
        let (descriptor, stat) = open_store(root)
            .and_then(|store| open_directory(store, Path::new(id)))
            .map_err(|errno| Error::io("open container", &path)(errno.into()))?;
        let owner = Uid::from_raw(stat.st_uid);
        if owner != geteuid() && !geteuid().is_root() {
            return Err(Error::io("open container", &path)(Errno::ACCESS.into()));
        }
        let directory = Self {
            descriptor,
            path,
            owner,
            acts_for_owner: false,
        };
        if owner == geteuid() && stat.st_mode & SHARED != 0 {
            let reason = "others than its owner can write to it".to_owned();
            return Err(Error::Config {
                path: directory.path,
                reason,
            });
        }
        Ok(directory)
    }

    /// Opens it as [`Self::open`] does and becomes its owner for the rest of this process.
    ///
    /// # Errors
    /// As those; where root can't become the owner.
    pub(super) fn enter(root: &Path, id: &str) -> Result<Self> {
        let mut directory = Self::open(root, id)?;
        if !directory.is_own() {
            become_user(directory.owner)?;
            directory.acts_for_owner = true;
        }
        Ok(directory)
    }

    /// How long the owner's hooks may keep this process: an engine that called it as root waits for its end.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.acts_for_owner.then_some(PATIENCE)
    }

    /// Whether it is this process's user's own.
    pub(super) fn is_own(&self) -> bool {
        self.owner == geteuid()
    }

    /// Its path in the store, for what libcontainer wants as a path and for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file `name` in it: a regular one of the directory's owner, and never through a link.
    ///
    /// # Errors
    /// [`Error::Config`] for any other kind of file or owner; those of open(2).
    pub(super) fn open_file(&self, name: &str, access: OFlags) -> Result<File> {
        let path = self.path.join(name);
        let refused = |reason: String| Error::Config {
            path: path.clone(),
            reason,
        };
        // A FIFO must not make us wait for somebody to write.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::LOOP) => return Err(refused("it is a symbolic link".to_owned())),
            Err(errno) => return Err(Error::io("open", &path)(errno.into())),
        };
        let stat = fstat(&file).map_err(|errno| Error::io("look at", &path)(errno.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(refused("it is no regular file".to_owned()));
        }
        // With a hard link, a user could give another's file for a state.
        if stat.st_uid != self.owner.as_raw() {
            return Err(refused(format!(
                "it belongs to uid {}, and its directory to uid {}",
                stat.st_uid, self.owner
            )));
        }
        Ok(file.into())
    }

    /// Reads the file `name` in it.
    ///
    /// # Errors
    /// As [`Self::open_file`]; [`Error::Config`] for one of more than [`MAX_FILE_SIZE`].
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        let file = self.open_file(name, OFlags::RDONLY)?;
        let path = self.path.join(name);
        let read = read_at_most(file, MAX_FILE_SIZE).map_err(Error::io("read", &path))?;
        read.ok_or_else(|| {
            let reason = format!("it is larger than {MAX_FILE_SIZE} bytes");
            Error::Config { path, reason }
        })
    }
}

/// Refuses a store in which this user's containers would be another's to exchange.
///
/// # Errors
/// [`Error::Io`] with `EACCES` where it belongs to neither this user nor root; where it can't be opened.
pub(super) fn check_store(root: &Path) -> Result<()> {
    let failed = |errno: Errno| Error::io("use state directory", root)(errno.into());
    let store = open_store(root).map_err(failed)?;
    let owner = Uid::from_raw(fstat(&store).map_err(failed)?.st_uid);
    if owner == geteuid() || owner.is_root() {
        return Ok(());
    }
    Err(failed(Errno::ACCESS))
}

/// Opens the store, through a link only where root or this user made it.
fn open_store(root: &Path) -> Result<OwnedFd, Errno> {
    // Without a slash at the end, which would have a link followed.
    let root: PathBuf = root.components().collect();
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let entry = open(&root, flags, Mode::empty())?;
    let stat = fstat(&entry)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Ok(entry);
    }
    let maker = Uid::from_raw(stat.st_uid);
    if maker != geteuid() && !maker.is_root() {
        return Err(Errno::LOOP);
    }
    // Read from the link that was looked at, and not by its name again.
    let target = rustix::fs::readlinkat(&entry, "", vec![])?;
    let target = OsStr::from_bytes(target.as_bytes());
    let target = root.parent().unwrap_or(Path::new("/")).join(target);
    open(target, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

fn open_directory(parent: OwnedFd, name: &Path) -> Result<(OwnedFd, Stat), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(parent, name, flags, Mode::empty())?;
    let stat = fstat(&directory)?;
    Ok((directory, stat))
}

/// Becomes `user` for good, with nothing of root's that a program of that user's could use.
fn become_user(user: Uid) -> Result<()> {
    let group = users::find(user).map_or(NO_GROUP, |known| known.gid);
    become_ids(user, group).map_err(Error::step("become the container's owner"))
}

fn become_ids(user: Uid, group: Gid) -> io::Result<()> {
    // A hook of the user's must not type into root's terminal, nor find a directory or keys through us.
    leave_controlling_terminal()?;
    join_new_session_keyring()?;
    std::env::set_current_dir("/")?;
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    // The kernel takes them away with uid 0, unless securebits(7) told it not to.
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn store() -> (tempfile::TempDir, PathBuf) {
        let store = tempfile::tempdir().unwrap();
        let directory = store.path().join("web");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        (store, directory)
    }

    #[test]
    fn only_regular_files_are_read() {
        let (store, directory) = store();
        fs::write(directory.join("state"), "content").unwrap();
        symlink("state", directory.join("link")).unwrap();
        fs::create_dir(directory.join("directory")).unwrap();
        let fifo = directory.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();

        let opened = StateDirectory::open(store.path(), "web").unwrap();
        assert_eq!(opened.read("state").unwrap(), b"content");
        for other in ["link", "directory", "fifo"] {
            let error = opened.read(other).unwrap_err();
            assert!(matches!(error, Error::Config { .. }), "{other}: {error:?}");
        }
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let (store, directory) = store();
        let file = File::create(directory.join("state")).unwrap();
        file.set_len(MAX_FILE_SIZE + 1).unwrap();
        let opened = StateDirectory::open(store.path(), "web").unwrap();
        let error = opened.read("state").unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error:?}");
    }

    #[test]
    fn a_link_is_no_container() {
        let (store, _) = store();
        symlink("web", store.path().join("link")).unwrap();
        let error = StateDirectory::open(store.path(), "link").unwrap_err();
        let Error::Io { source, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(source.raw_os_error(), Some(libc::ENOTDIR));
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let (store, directory) = store();
        fs::set_permissions(&directory, Permissions::from_mode(0o770)).unwrap();
        let error = StateDirectory::open(store.path(), "web").unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error:?}");
    }

    #[test]
    fn a_store_may_be_a_link_of_ones_own() {
        let (store, _) = store();
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("link");
        symlink(store.path(), &link).unwrap();
        assert!(StateDirectory::open(&link, "web").is_ok());
    }
}
