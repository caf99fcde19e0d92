//! The directory in which keepers are found: for each, by its key, a socket, and a lock while somebody is at it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, flock, fstat, openat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

const SOCKET: &str = ".keeper";
const LOCK: &str = ".lock";

/// Connections that wait while a keeper is busy.
const BACKLOG: i32 = 128;

/// The state directory, open.
#[derive(Debug)]
pub(crate) struct State {
    /// Where it is.
    pub path: PathBuf,
    /// It.
    pub directory: OwnedFd,
}

/// Held by who starts or ends one keeper.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: OwnedFd,
}

impl State {
    /// The directory at `path`, which is its user's own.
    pub(crate) fn of_user(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            path: path.to_path_buf(),
            directory: openat(rustix::fs::CWD, path, flags, Mode::empty())?,
        })
    }

    /// The keys that have a keeper, or had one.
    pub(crate) fn keys(&self) -> io::Result<Vec<String>> {
        let mut keys = vec![];
        for entry in Dir::read_from(&self.directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            keys.extend(name.strip_suffix(SOCKET).map(str::to_owned));
        }
        keys.sort();
        Ok(keys)
    }

    /// Waits for the lock of `key`.
    pub(crate) fn lock(&self, key: &str) -> io::Result<Lock> {
        loop {
            if let Some(lock) = self.lock_by(key, FlockOperation::LockExclusive)? {
                return Ok(lock);
            }
        }
    }

    /// The lock of `key`, if nobody has it now.
    pub(crate) fn try_lock(&self, key: &str) -> io::Result<Option<Lock>> {
        self.lock_by(key, FlockOperation::NonBlockingLockExclusive)
    }

    /// None where it is somebody else's, or was taken away with the keeper while we waited for it.
    fn lock_by(&self, key: &str, operation: FlockOperation) -> io::Result<Option<Lock>> {
        let name = format!("{key}{LOCK}");
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.directory, &name, flags, Mode::RUSR | Mode::WUSR)?;
        match flock(&file, operation) {
            Err(Errno::WOULDBLOCK) => return Ok(None),
            other => other?,
        }
        match statat(&self.directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) if named.st_ino == fstat(&file)?.st_ino => Ok(Some(Lock { _file: file })),
            Ok(_) | Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// A socket on which the keeper of `key` listens; one of a keeper that is gone is replaced. Needs the lock.
    pub(crate) fn listen(&self, key: &str, lock: &Lock) -> io::Result<OwnedFd> {
        let socket = self.bind(key, lock)?;
        listen(&socket, BACKLOG)?;
        Ok(socket)
    }

    /// The same before anybody listens: until then it is found by nobody. Whoever connects is told who listened.
    pub(crate) fn bind(&self, key: &str, _: &Lock) -> io::Result<OwnedFd> {
        self.remove(key, SOCKET)?;
        let socket = socket()?;
        bind(&socket, &self.address(key)?)?;
        Ok(socket)
    }

    /// A connection to the keeper of `key`; none where there is no such process.
    pub(crate) fn connect(&self, key: &str) -> io::Result<Option<OwnedFd>> {
        let socket = socket()?;
        match connect(&socket, &self.address(key)?) {
            Ok(()) => Ok(Some(socket)),
            Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes away what there is of `key`. Needs its lock.
    pub(crate) fn forget(&self, key: &str, lock: Lock) -> io::Result<()> {
        self.remove(key, SOCKET)?;
        self.remove(key, LOCK)?;
        drop(lock);
        Ok(())
    }

    /// For a keeper of `key` that nobody needs, and whose `listener` this is: whether nobody is about to ask for it either.
    /// Then nobody finds it any more.
    pub(crate) fn retire(&self, key: &str, listener: &OwnedFd) -> io::Result<bool> {
        let Some(lock) = self.try_lock(key)? else {
            return Ok(false);
        };
        let mut listener = [PollFd::new(listener, PollFlags::IN)];
        if poll(&mut listener, Some(&Timespec::default()))? > 0 {
            return Ok(false);
        }
        self.forget(key, lock)?;
        Ok(true)
    }

    /// Takes away what a keeper that was killed has left, unless somebody is at it.
    pub(crate) fn sweep(&self, key: &str) -> io::Result<()> {
        match self.try_lock(key)? {
            Some(lock) if self.connect(key)?.is_none() => self.forget(key, lock),
            _ => Ok(()),
        }
    }

    fn remove(&self, key: &str, suffix: &str) -> io::Result<()> {
        match unlinkat(
            self.directory.as_fd(),
            format!("{key}{suffix}"),
            AtFlags::empty(),
        ) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// By the descriptor: an address has room for 107 bytes, and a path of the site's may be longer.
    fn address(&self, key: &str) -> io::Result<SocketAddrUnix> {
        let directory = self.directory.as_raw_fd();
        let path = format!("/proc/self/fd/{directory}/{key}{SOCKET}");
        Ok(SocketAddrUnix::new(path)?)
    }
}

fn socket() -> io::Result<OwnedFd> {
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(directory: &Path) -> State {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        State {
            path: directory.to_path_buf(),
            directory: openat(rustix::fs::CWD, directory, flags, Mode::empty()).unwrap(),
        }
    }

    #[test]
    fn a_lock_is_one_holders_and_is_none_once_its_file_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(directory.path());
        let lock = state.lock("1-2").unwrap();
        assert!(state.try_lock("1-2").unwrap().is_none());
        assert!(state.try_lock("1-3").unwrap().is_some());
        state.forget("1-2", lock).unwrap();
        assert!(state.try_lock("1-2").unwrap().is_some());
    }

    #[test]
    fn a_keeper_is_found_while_it_listens_and_swept_up_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(directory.path());
        assert!(state.connect("1-2").unwrap().is_none());
        let lock = state.lock("1-2").unwrap();
        let listener = state.listen("1-2", &lock).unwrap();
        drop(lock);
        assert!(state.connect("1-2").unwrap().is_some());
        state.sweep("1-2").unwrap();
        assert_eq!(state.keys().unwrap(), ["1-2"]);
        drop(listener);
        assert!(state.connect("1-2").unwrap().is_none());
        state.sweep("1-2").unwrap();
        assert_eq!(state.keys().unwrap(), [""; 0]);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
