//! Opening a file with somebody else's rights.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use bundles::shifter::image::Caller;
use nix::sys::wait::waitpid;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use runtime::passing;
use runtime::sys::fork_child;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::net::RecvFlags;

/// Why the file isn't open. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The user can't open it: whether it is there, is told only as the user would be told.
    #[error("image {}: open as uid {uid}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Whose rights were taken.
        uid: u32,
        /// The cause.
        source: io::Error,
    },
    /// Nothing that an image is in.
    #[error(
        "image {} is not a regular file; hint: shifter image convert makes one of a directory or an OCI layout", .0.display()
    )]
    NotAFile(PathBuf),
}

/// Opens the regular file `path` for reading as `caller` could: root does it in a child that is the caller, everybody
/// else is the caller.
///
/// # Errors
/// [`OpenError`].
pub fn open_as(path: &Path, caller: &Caller) -> Result<File, OpenError> {
    let opened = if rustix::process::geteuid().is_root() {
        in_child(path, caller)
    } else {
        open(path)
    };
    let file = opened.map_err(|source| OpenError::Open {
        path: path.to_path_buf(),
        uid: caller.uid,
        source,
    })?;
    match fstat(&file).map(|status| FileType::from_raw_mode(status.st_mode)) {
        Ok(FileType::RegularFile) => Ok(file.into()),
        _ => Err(OpenError::NotAFile(path.to_path_buf())),
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    // Not waiting for whoever is at the other end of a pipe.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

fn in_child(path: &Path, caller: &Caller) -> io::Result<OwnedFd> {
    let (ours, theirs) = passing::pair()?;
    let child = fork_child(|| {
        let opened = become_caller(caller).and_then(|()| open(path));
        i32::from(answer(&theirs, opened).is_err())
    })?;
    drop(theirs);
    let received = receive(&ours);
    waitpid(child, None)?;
    received
}

fn become_caller(caller: &Caller) -> io::Result<()> {
    let groups: Vec<Gid> = caller.groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(caller.uid), Gid::from_raw(caller.gid));
    setgroups(&groups)?;
    setresgid(gid, gid, gid)?;
    // With it go all capabilities, which is why this is the last.
    setresuid(uid, uid, uid)?;
    Ok(())
}

/// The number of the error, or 0 and the descriptor.
fn answer(to: &OwnedFd, opened: io::Result<OwnedFd>) -> io::Result<()> {
    let number = match &opened {
        Ok(_) => 0,
        Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
    };
    let file = opened.as_ref().ok().map(AsFd::as_fd);
    Ok(passing::send(to, &number.to_ne_bytes(), file)?)
}

fn receive(from: &OwnedFd) -> io::Result<OwnedFd> {
    let mut number = [0; size_of::<i32>()];
    let (length, file) = passing::receive(from, &mut number, RecvFlags::empty())?;
    match (length, i32::from_ne_bytes(number), file) {
        (4, 0, Some(file)) => Ok(file),
        (4, number @ 1.., None) => Err(io::Error::from_raw_os_error(number)),
        _ => Err(io::Error::other("the process that opens it failed")),
    }
}
