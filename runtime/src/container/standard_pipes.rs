//! The caller's pipes at descriptors 0 to 2, given to the process's user.

use std::io;

use oci_spec::runtime::{LinuxNamespaceType, Process, Spec};
use rustix::fd::BorrowedFd;
use rustix::fs::{FileType, Uid, fchown, fstat};
use rustix::io::Errno;
use rustix::stdio::{stderr, stdin, stdout};

use super::id_maps::IdMaps;
use super::namespaces;

/// Gives them to the user of its process, so that a command can open `/dev/stdout` and its like by name: a pipe
/// is its owner's alone. Call before a new user namespace is entered, with its `maps`.
///
/// # Errors
/// Those of fchown(2), but for those that say that this process may not.
pub(super) fn give_from_outside(spec: &Spec, maps: Option<&IdMaps>) -> io::Result<()> {
    let Some(process) = spec.process() else {
        return Ok(());
    };
    let uid = process.user().uid();
    let outside = match maps {
        Some(maps) => maps.outside_uid(uid),
        // That of a namespace which is joined is known inside only.
        None => (!namespaces::is_listed(spec, LinuxNamespaceType::User)).then_some(uid),
    };
    outside.map_or(Ok(()), |uid| give(process, uid))
}

/// Likewise, as the root of the user namespace that the process is in: for an ordinary user, who may do it
/// nowhere else.
///
/// # Errors
/// As there.
pub(super) fn give_from_inside(spec: &Spec) -> io::Result<()> {
    let process = spec.process().as_ref();
    process.map_or(Ok(()), |process| give(process, process.user().uid()))
}

fn give(process: &Process, uid: u32) -> io::Result<()> {
    if process.terminal() == Some(true) {
        // It gets that, and nothing of the caller's.
        return Ok(());
    }
    for descriptor in [stdin(), stdout(), stderr()] {
        match give_one(descriptor, Uid::from_raw(uid)) {
            // Its owner or group has no id in this user namespace, or it isn't this process's to give.
            Ok(()) | Err(Errno::PERM | Errno::INVAL | Errno::ROFS) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// runc gives whatever it finds but `/dev/null`, crun all but terminals. A file that the caller's shell opened
/// stays the caller's here.
fn give_one(descriptor: BorrowedFd<'_>, uid: Uid) -> Result<(), Errno> {
    let status = fstat(descriptor)?;
    let is_pipe = FileType::from_raw_mode(status.st_mode) == FileType::Fifo;
    if !is_pipe || status.st_uid == uid.as_raw() {
        return Ok(());
    }
    // The group stays, as with runc.
    fchown(descriptor, Some(uid), None)
}
