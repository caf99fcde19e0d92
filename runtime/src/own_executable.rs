//! The runtime's own executable, out of a container's reach (CVE-2019-5736).
//!
//! Until it executes the command, the container's first process is this program, and `/proc/PID/exe`
//! leads to its file on the host. So the process first executes itself again from a read-only view of
//! that file: a detached mount, which no container can remount, or, for callers who may not make one, a
//! sealed copy in memory.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use nix::fcntl::{AtFlags, FcntlArg, FdFlag, SealFlag, fcntl};
use nix::unistd::execveat;
use rustix::fs::{CWD, MemfdFlags, StatVfsMountFlags, memfd_create, statvfs};
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::sys::{MountAttr, mount_setattr};

const OWN: &str = "/proc/self/exe";

/// Tells the second execution where the file of the first was: `/proc/self/exe` doesn't any more.
pub const PATH_VARIABLE: &str = "OPT_RUNTIME_EXECUTABLE";

/// The path of this program's file.
///
/// # Errors
/// Where `/proc` can't be read.
pub fn path() -> io::Result<PathBuf> {
    match std::env::var_os(PATH_VARIABLE) {
        Some(path) => Ok(path.into()),
        None => std::env::current_exe(),
    }
}

/// Executes this program again from a view that can't be written, unless it runs from one already.
///
/// # Errors
/// Where no such view can be made; the caller must not go on to make a container.
pub fn protect() -> io::Result<()> {
    if is_read_only()? {
        return Ok(());
    }
    let own = File::open(OWN)?;
    if is_sealed(&own) {
        return Ok(());
    }
    let view = view_of(own)?;
    let arguments = std::env::args_os().map(OsStringExt::into_vec);
    keep_descriptors(named_descriptors());
    let own_path = (
        PATH_VARIABLE.into(),
        std::env::current_exe()?.into_os_string(),
    );
    let environment = std::env::vars_os()
        .filter(|(name, _)| name != PATH_VARIABLE)
        .chain([own_path])
        .map(|(name, value)| {
            let mut entry = name.into_vec();
            entry.push(b'=');
            entry.extend(value.into_vec());
            entry
        });
    let Err(errno) = execveat(
        Some(view.as_raw_fd()),
        c"",
        &strings(arguments)?,
        &strings(environment)?,
        AtFlags::AT_EMPTY_PATH,
    );
    Err(errno.into())
}

/// A view of this program's file that can't be written, for another process of this program to be executed from.
///
/// # Errors
/// Where no such view can be made.
pub fn view() -> io::Result<OwnedFd> {
    view_of(File::open(OWN)?)
}

fn view_of(own: File) -> io::Result<OwnedFd> {
    read_only_view().or_else(|_| sealed_copy(own))
}

/// Whether this is the second execution. It has no use for what the caller had left open.
pub(crate) fn is_second() -> bool {
    std::env::var_os(PATH_VARIABLE).is_some()
}

/// The descriptors that this process's arguments are paths to: a shell's `<(…)` is one.
pub(crate) fn named_descriptors() -> impl Iterator<Item = i32> {
    std::env::args_os().filter_map(|argument| descriptor_in(argument.to_str()?))
}

/// Has descriptors reach the second execution, which marks them anew.
fn keep_descriptors(numbers: impl Iterator<Item = i32>) {
    for number in numbers {
        // One that isn't open is told by whoever opens the path.
        let _ = fcntl(number, FcntlArg::F_SETFD(FdFlag::empty()));
    }
}

/// The descriptor that an argument, or the value of an option, is a path to.
fn descriptor_in(argument: &str) -> Option<i32> {
    let value = match argument.split_once('=') {
        Some((option, value)) if option.starts_with('-') => value,
        _ => argument,
    };
    let number = value
        .strip_prefix("/dev/fd/")
        .or_else(|| value.strip_prefix("/proc/self/fd/"))?;
    number.parse().ok()
}

fn strings(bytes: impl Iterator<Item = Vec<u8>>) -> io::Result<Vec<CString>> {
    Ok(bytes.map(CString::new).collect::<Result<_, _>>()?)
}

fn is_read_only() -> io::Result<bool> {
    Ok(statvfs(OWN)?.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn is_sealed(own: &File) -> bool {
    // Only a memfd answers; any other file refuses the question.
    let seals = fcntl(own.as_raw_fd(), FcntlArg::F_GET_SEALS).unwrap_or_default();
    SealFlag::from_bits_truncate(seals).contains(all_seals())
}

fn all_seals() -> SealFlag {
    SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE
}

fn read_only_view() -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let view = open_tree(CWD, OWN, flags)?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
        ..MountAttr::default()
    };
    mount_setattr(&view, attr, false)?;
    Ok(view)
}

fn sealed_copy(mut own: File) -> io::Result<OwnedFd> {
    let copy = memfd_create(
        "opt-runtime",
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?;
    let mut copy = File::from(copy);
    io::copy(&mut own, &mut copy)?;
    fcntl(copy.as_raw_fd(), FcntlArg::F_ADD_SEALS(all_seals()))?;
    Ok(copy.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_to_a_descriptor_is_found_in_an_argument() {
        for (argument, expected) in [
            ("/dev/fd/63", Some(63)),
            ("/proc/self/fd/5", Some(5)),
            ("--process=/dev/fd/63", Some(63)),
            ("a=/dev/fd/63", None),
            ("/dev/fd/", None),
            ("/dev/fd/6/3", None),
            ("/dev/null", None),
        ] {
            assert_eq!(descriptor_in(argument), expected, "{argument}");
        }
    }
}
