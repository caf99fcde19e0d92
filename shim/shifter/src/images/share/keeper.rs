//! The process that keeps an image mounted while anybody holds it.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount,
};
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{fchdir, pivot_root};
use rustix::thread::set_name;

use super::message::{Request, next_request, send};
use crate::images::kernel;
use crate::keeping::{SOON, State, fork_detached, leave_the_starter, wait};

/// What a keeper has.
#[derive(Debug)]
pub(super) struct Keeper {
    /// Where it is found.
    pub state: State,
    /// Under which name.
    pub key: String,
    /// What it tells of the image.
    pub about: String,
    /// The image's file system.
    pub mount: OwnedFd,
    /// Where connections come in.
    pub listener: OwnedFd,
}

/// One that is connected.
struct Holder {
    connection: OwnedFd,
    pid: i32,
}

impl Keeper {
    /// Makes it a process of its own, which belongs to nobody.
    ///
    /// # Errors
    /// Those of fork(2). What fails in the new process ends it, and who connects is told by that.
    pub(super) fn start(self) -> io::Result<()> {
        fork_detached(move || {
            let served = match self.settle() {
                Ok(()) => self.serve(),
                Err(error) => self.refuse(&error),
            };
            i32::from(served.is_err())
        })
    }

    /// Leaves everything that is the starter's: terminal, files, mounts.
    fn settle(&self) -> io::Result<()> {
        let _ = set_name(c"shifter-image");
        leave_the_starter(&[&self.state.directory, &self.mount, &self.listener])?;
        unshare(CloneFlags::CLONE_NEWNS)?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&self.mount, "", rustix::fs::CWD, "/", flags)?;
        // The image is all that is mounted here, so no other mount of the host's is kept by this process.
        fchdir(&self.mount)?;
        pivot_root(".", ".")?;
        unmount(".", UnmountFlags::DETACH)?;
        Ok(())
    }

    /// Tells the first one who asks why there is nothing to be had.
    fn refuse(&self, error: &io::Error) -> io::Result<()> {
        let connection = accept_with(&self.listener, SocketFlags::CLOEXEC)?;
        let _ = next_request(&connection);
        send(&connection, &format!("settle: {error}"), None)
    }

    /// Serves until nobody needs the image.
    fn serve(&self) -> io::Result<()> {
        let mut holders: Vec<Holder> = vec![];
        let mut places = BTreeSet::new();
        loop {
            let is_needed = !holders.is_empty() || !places.is_empty();
            if !is_needed && self.state.retire(&self.key, &self.listener)? {
                return Ok(());
            }
            let connections = holders.iter().map(|holder| &holder.connection);
            let ready = wait(&self.listener, connections, (!is_needed).then_some(SOON))?;
            // The last first, so that the places of the others stay.
            for index in ready.connections.into_iter().rev() {
                if !self.answer(&holders, index, &mut places) {
                    holders.remove(index);
                }
            }
            if ready.listener {
                holders.extend(self.accept());
            }
        }
    }

    /// Root only: the directory of the socket is root's, and so has to be who connects.
    fn accept(&self) -> Option<Holder> {
        let connection = accept_with(&self.listener, SocketFlags::CLOEXEC).ok()?;
        let peer = rustix::net::sockopt::socket_peercred(&connection).ok()?;
        peer.uid.is_root().then(|| Holder {
            connection,
            pid: peer.pid.as_raw_nonzero().get(),
        })
    }

    /// Whether the connection goes on.
    fn answer(&self, holders: &[Holder], index: usize, places: &mut BTreeSet<String>) -> bool {
        let connection = &holders[index].connection;
        let sent = match next_request(connection) {
            None => return false,
            Some(Request::Hold) => match kernel::clone(&self.mount) {
                Ok(mount) => send(connection, "held", Some(mount.as_fd())),
                Err(errno) => send(connection, &format!("can't clone the mount: {errno}"), None),
            },
            Some(Request::Tell) => {
                let others = holders.iter().enumerate();
                let pids = others.filter(|(other, _)| *other != index);
                let pids = pids.map(|(_, holder)| holder.pid.to_string());
                let all: Vec<String> = pids.chain(places.iter().cloned()).collect();
                let text = format!("{}\t{}", self.about, all.join("\t"));
                send(connection, &text, None)
            }
            Some(Request::Keep(place)) => {
                places.insert(place);
                send(connection, "kept", None)
            }
            Some(Request::Drop(place)) => {
                let said = if places.remove(&place) {
                    "dropped"
                } else {
                    "unknown"
                };
                send(connection, said, None)
            }
        };
        sent.is_ok()
    }
}
