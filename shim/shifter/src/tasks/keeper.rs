//! The first process of the pid namespace that tasks share.
//!
//! It is seen by whatever runs in their containers, so nothing of the host's can be had through it: no memory, files or
//! command line, no privilege, and a root that holds the namespace's own processes and nothing else.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getegid, geteuid};
use runtime::sys::{close_descriptors_except, forget_arguments_and_environment, fork_child};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags,
    fsconfig_create, fsmount, fsopen, mount_change, move_mount, unmount,
};
use rustix::net::{SocketFlags, accept_with, listen};
use rustix::process::{DumpableBehavior, fchdir, pivot_root, set_dumpable_behavior, setsid};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_name, set_no_new_privs};

use super::message::{Request, answer, next_request};
use crate::images::own::map_the_user;
use crate::images::share::fork_detached;
use crate::images::share::state::State;
use crate::sys::peer_of;

/// What a keeper says when it serves.
pub(super) const READY: &str = "ready";

/// Connections that wait while it is busy.
const BACKLOG: i32 = 1024;

/// How soon one that nobody needs tries again to end, where somebody is at its lock.
const SOON: Duration = Duration::from_millis(20);

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
        setsid()?;
        // The lock is among the others, which is the starter's.
        close_descriptors_except(&mut [
            0,
            1,
            2,
            self.state.directory.as_raw_fd(),
            self.listener.as_raw_fd(),
            self.ready.as_raw_fd(),
        ])?;
        let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        drop(null);
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
            if tasks.is_empty() && self.end()? {
                return Ok(());
            }
            if aftermath.is_some_and(|until| Instant::now() > until) {
                aftermath = None;
            }
            let is_awake = tasks.is_empty() || aftermath.is_some();
            let ready = wait(&self.listener, &tasks, is_awake.then_some(SOON))?;
            // The last first, so that the places of the others stay.
            for index in ready.tasks.into_iter().rev() {
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

    /// Whether nobody is about to join; then nobody finds it any more.
    fn end(&self) -> io::Result<bool> {
        let Some(lock) = self.state.try_lock(&self.key)? else {
            return Ok(false);
        };
        let mut listener = [PollFd::new(&self.listener, PollFlags::IN)];
        if poll(&mut listener, Some(&Timespec::default()))? > 0 {
            return Ok(false);
        }
        self.state.forget(&self.key, lock)?;
        Ok(true)
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
        if parent_in(&text) == Some(1) {
            children.push(pid);
        }
    }
    Ok(children)
}

/// The parent's pid in a `/proc/PID/stat`: proc(5), field 4. The name before may hold anything.
fn parent_in(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// What there is to be read.
struct Ready {
    listener: bool,
    tasks: Vec<usize>,
}

fn wait(listener: &OwnedFd, tasks: &[OwnedFd], limit: Option<Duration>) -> io::Result<Ready> {
    let mut waiting: Vec<PollFd<'_>> = std::iter::once(listener)
        .chain(tasks)
        .map(|descriptor| PollFd::new(descriptor, PollFlags::IN))
        .collect();
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(&mut waiting, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let is_ready = |index: &usize| !waiting[*index].revents().is_empty();
    Ok(Ready {
        listener: is_ready(&0),
        tasks: (0..tasks.len())
            .filter(|index| is_ready(&(index + 1)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_told_whatever_the_process_is_called() {
        assert_eq!(parent_in("7 (sh) S 1 7 7 0"), Some(1));
        assert_eq!(parent_in("7 (a) S 1 (b) R 42 7 7 0"), Some(42));
        assert_eq!(parent_in(""), None);
    }
}
