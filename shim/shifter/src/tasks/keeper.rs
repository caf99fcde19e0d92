//! The first process of the pid namespace that tasks share.
//!
//! It is seen by whatever runs in their containers, so nothing of the host's can be had through it: no memory, files or
//! command line, no privilege, and a root that holds the namespace's own processes and nothing else.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getegid, geteuid};
use runtime::process_stat;
use runtime::sys::{forget_arguments_and_environment, fork_child};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags,
    fsconfig_create, fsmount, fsopen, mount_change, move_mount, unmount,
};
use rustix::net::{SocketFlags, accept_with, listen};
use rustix::process::{DumpableBehavior, fchdir, pivot_root, set_dumpable_behavior};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_name, set_no_new_privs};

use super::message::{Request, answer, next_request};
use crate::images::own::map_the_user;
use crate::keeping::{SOON, State, fork_detached, leave_the_starter, wait};
use crate::sys::peer_of;

/// What a keeper says when it serves.
pub(super) const READY: &str = "ready";

/// Connections that wait while it is busy.
const BACKLOG: i32 = 1024;

/// How long after a task's end what it leaves may still come to the keeper: a runtime that is killed closes its
/// connection before the kernel kills its container's first process.
const AFTERMATH: Duration = Duration::from_secs(2);

/// How long killed processes may take to end before others are served again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a keeper has.
#[derive(Debug)]
pub(super) struct Keeper {
    /// Where it is found.
    pub state: State,
    /// Under which name.
    pub key: String,
    /// Where connections come in.
    pub listener: OwnedFd,
    /// Where it says [`READY`], or what went wrong.
    pub ready: OwnedFd,
    /// Whether there is a user namespace around the shared one, for who makes containers without root.
    pub is_nested: bool,
}

/// What tasks are given.
struct Namespaces {
    outer: Option<File>,
    user: File,
    pid: File,
}

impl Keeper {
    /// Makes it a process of its own, which belongs to nobody.
    ///
    /// # Errors
    /// Those of fork(2). What fails later the process says.
    pub(super) fn start(self) -> io::Result<()> {
        fork_detached(move || match self.settle() {
            Ok(()) => 0,
            Err(error) => self.give_up(&error),
        })
    }

    fn give_up(&self, error: &io::Error) -> i32 {
        let _ = rustix::io::write(&self.ready, error.to_string().as_bytes());
        1
    }

    /// Makes the namespaces, and in them the process that stays.
    fn settle(&self) -> io::Result<()> {
        leave_the_starter(&[&self.state.directory, &self.listener, &self.ready])?;
        let outer = match self.is_nested {
            true => Some(user_namespace()?),
            false => None,
        };
        let user = user_namespace()?;
        unshare(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS)?;
        fork_child(move || {
            match Namespaces::of(outer, user).and_then(|namespaces| self.serve(&namespaces)) {
                Ok(()) => 0,
                Err(error) => self.give_up(&error),
            }
        })?;
        Ok(())
    }

    /// Serves until nobody needs the namespaces.
    fn serve(&self, namespaces: &Namespaces) -> io::Result<()> {
        forget_arguments_and_environment()?;
        // From now on it is found, and whoever connects is told who it is.
        listen(&self.listener, BACKLOG)?;
        hide()?;
        rustix::io::write(&self.ready, READY.as_bytes())?;
        let mut tasks: Vec<OwnedFd> = vec![];
        let mut aftermath: Option<Instant> = None;
        loop {
            if tasks.is_empty() && self.state.retire(&self.key, &self.listener)? {
                return Ok(());
            }
            if aftermath.is_some_and(|until| Instant::now() > until) {
                aftermath = None;
            }
            let is_awake = tasks.is_empty() || aftermath.is_some();
            let ready = wait(&self.listener, tasks.iter(), is_awake.then_some(SOON))?;
            // The last first, so that the places of the others stay.
            for index in ready.connections.into_iter().rev() {
                if !respond(&tasks[index], namespaces) {
                    drop(tasks.remove(index));
                    aftermath = Some(Instant::now() + AFTERMATH);
                }
            }
            if aftermath.is_some() {
                end_orphans()?;
            }
            if ready.listener {
                tasks.extend(self.accept());
            }
        }
    }

    /// A runtime of the user's. Whoever has a pid here is in a container, and has no business with this.
    fn accept(&self) -> Option<OwnedFd> {
        let connection = accept_with(&self.listener, SocketFlags::CLOEXEC).ok()?;
        let peer = peer_of(&connection).ok()?;
        (peer.uid == geteuid().as_raw() && peer.pid == 0).then_some(connection)
    }
}

impl Namespaces {
    /// In the process that is the first of its pid namespace, while /proc is the host's.
    fn of(outer: Option<File>, user: File) -> io::Result<Self> {
        let pid = File::open("/proc/self/ns/pid")?;
        Ok(Self { outer, user, pid })
    }
}

/// Puts this process into a new user namespace, in which its user is who it is.
fn user_namespace() -> io::Result<File> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    map_the_user(uid, gid).map_err(|(_, error)| error)?;
    File::open("/proc/self/ns/user")
}

/// Leaves everything that is the host's, and all privilege.
fn hide() -> io::Result<()> {
    set_name(c"shifter-tasks")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let shut = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let processes = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, shut)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&processes, "", rustix::fs::CWD, "/", flags)?;
    fchdir(&processes)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    set_no_new_privs(true)?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Whether the connection goes on.
fn respond(task: &OwnedFd, namespaces: &Namespaces) -> bool {
    let given = match next_request(task) {
        None => return false,
        Some(Request::Outer) => namespaces.outer.as_ref(),
        Some(Request::User) => Some(&namespaces.user),
        Some(Request::Pid) => Some(&namespaces.pid),
        Some(Request::Sweep) => {
            if end_orphans().is_err() {
                return false;
            }
            None
        }
    };
    answer(task, given.map(AsFd::as_fd)).is_ok()
}

/// Ends the processes whose parent this is. The first process of each container adopts what its command leaves behind;
/// so these are of a container whose first process has ended.
fn end_orphans() -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        while !matches!(
            waitpid(None, Some(WaitPidFlag::WNOHANG)),
            Ok(WaitStatus::StillAlive) | Err(_)
        ) {}
        let orphans = children()?;
        if orphans.is_empty() || Instant::now() > deadline {
            return Ok(());
        }
        for orphan in orphans {
            // A child's pid is its own until it is waited for.
            let _ = kill(Pid::from_raw(orphan), Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The pids of this process's children, by the file system of processes that is its root.
fn children() -> io::Result<Vec<i32>> {
    let mut children = vec![];
    for entry in fs::read_dir("/")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that is gone by now is nobody's.
        let text = fs::read_to_string(format!("/{pid}/stat")).unwrap_or_default();
        if process_stat::field(&text, 4) == Some("1") {
            children.push(pid);
        }
    }
    Ok(children)
}
