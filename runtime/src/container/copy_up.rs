//! `tmpcopyup`: a tmpfs begins with a copy of the directory that it covers.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fchmod, fstat, mkdirat, mknodat,
    openat, readlinkat, statat, symlinkat,
};
use rustix::io::Errno;

/// How deep a tree is copied: deeper ones are made to hurt.
const MAX_DEPTH: usize = 64;

/// Copies what is in directory `from` into directory `to`, with modes and owners, but not those of `from`
/// itself; no link is followed and nothing is left out but device nodes and sockets, which mean nothing in
/// a copy.
///
/// # Errors
/// The first that anything gives; `ELOOP` where the tree is too deep.
pub(super) fn copy_up(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    copy_directory(from, to, 0)
}

fn copy_directory(from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Err(Errno::LOOP.into());
    }
    let readable = open_directory(from, c".")?;
    for entry in Dir::read_from(&readable)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            copy_entry(readable.as_fd(), to, name, depth)?;
        }
    }
    Ok(())
}

fn copy_entry(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &CStr,
    depth: usize,
) -> io::Result<()> {
    let status = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if statat(to, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        // The target of another mount in the tmpfs: what is there isn't the tmpfs's.
        return Ok(());
    }
    match FileType::from_raw_mode(status.st_mode) {
        FileType::Directory => {
            mkdirat(to, name, Mode::RWXU)?;
            let below = open_directory(from, name)?;
            let made = open_directory(to, name)?;
            copy_directory(below.as_fd(), made.as_fd(), depth + 1)?;
            // Last: a directory without the right to write must be filled first.
            let mode = own(made.as_fd(), c"", &status, AtFlags::EMPTY_PATH)?;
            Ok(fchmod(&made, mode)?)
        }
        FileType::RegularFile => copy_file(from, to, name),
        FileType::Symlink => {
            symlinkat(readlinkat(from, name, vec![])?, to, name)?;
            own(to, name, &status, AtFlags::SYMLINK_NOFOLLOW).map(drop)
        }
        FileType::Fifo => {
            let mode = Mode::from_raw_mode(status.st_mode);
            mknodat(to, name, FileType::Fifo, mode, 0)?;
            own(to, name, &status, AtFlags::SYMLINK_NOFOLLOW).map(drop)
        }
        _ => Ok(()),
    }
}

fn copy_file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // Not blocking: what was a file a moment ago may be a FIFO now.
    let reading = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut source = File::from(openat(from, name, reading, Mode::empty())?);
    let writing = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut copy = File::from(openat(to, name, writing, Mode::RUSR | Mode::WUSR)?);
    io::copy(&mut source, &mut copy)?;
    let status = fstat(&source)?;
    let mode = own(copy.as_fd(), c"", &status, AtFlags::EMPTY_PATH)?;
    // After the owner, whose change takes setuid bits away.
    Ok(fchmod(&copy, mode)?)
}

fn open_directory(at: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

/// Gives `name` the owner and, of `status`'s mode, what may go with it: an owner that the user namespace
/// doesn't map can't be kept, and setuid for another one would be a gift.
fn own(at: BorrowedFd<'_>, name: &CStr, status: &Stat, flags: AtFlags) -> io::Result<Mode> {
    let owner = Uid::from_raw(status.st_uid);
    let group = Gid::from_raw(status.st_gid);
    let mode = Mode::from_raw_mode(status.st_mode);
    match chownat(at, name, Some(owner), Some(group), flags) {
        Ok(()) => Ok(mode),
        Err(Errno::INVAL | Errno::OVERFLOW) => Ok(mode - (Mode::SUID | Mode::SGID)),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_tree_is_copied_as_it_is() {
        let bench = tempfile::tempdir().unwrap();
        let (from, to) = (bench.path().join("from"), bench.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("a/b/file"), "content").unwrap();
        fs::set_permissions(from.join("a/b/file"), PermissionsExt::from_mode(0o4750)).unwrap();
        fs::set_permissions(from.join("a"), PermissionsExt::from_mode(0o1777)).unwrap();
        symlink("/etc/shadow", from.join("a/link")).unwrap();

        let open = |path| File::open(path).unwrap();
        copy_up(open(&from).as_fd(), open(&to).as_fd()).unwrap();

        let mode = |path: &str| fs::metadata(to.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(fs::read_to_string(to.join("a/b/file")).unwrap(), "content");
        assert_eq!(mode("a/b/file"), 0o4750);
        assert_eq!(mode("a"), 0o1777);
        let target = fs::read_link(to.join("a/link")).unwrap();
        assert_eq!(target.to_str(), Some("/etc/shadow"));
    }
}
