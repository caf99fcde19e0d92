//! A task's part: it finds the keeper of its program, or makes it, and has its container share what that one keeps.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use bundles::promise::{EXCEPTION_ANNOTATION, Exception};
use nix::unistd::geteuid;
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Spec};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::pipe::{PipeFlags, pipe_with};

use super::keeper::{Keeper, READY};
use super::message::{Request, ask};
use super::program::{Alike, Program};
use crate::keeping::{Lock, State};
use crate::sys::peer_of;

/// A keeper that doesn't answer for so long is stuck, and so is one who holds its lock.
const PATIENCE: Duration = Duration::from_secs(30);

/// What this process's container shares with those of the other tasks, as long as this is held.
#[derive(Debug)]
pub struct Tasks {
    program: String,
    connection: OwnedFd,
    outer: Option<OwnedFd>,
    user: OwnedFd,
    pid: OwnedFd,
}

impl Tasks {
    /// Joins the tasks of `program` whose containers are `alike`, found in `directory`, the user's own.
    ///
    /// # Errors
    /// What can't be done.
    pub fn join(program: &Program, alike: &Alike, directory: &Path) -> Result<Self> {
        let joined = find(&program.key(alike), alike.is_rootless, directory);
        let (connection, [outer, user, pid]) = joined.map_err(|error| {
            anyhow!(
                "share processes with other tasks of {}: {error}; hint: --no-share-tasks does without",
                program.name()
            )
        })?;
        let (Some(user), Some(pid)) = (user, pid) else {
            bail!("the keeper of {}'s tasks gives nothing", program.name());
        };
        Ok(Self {
            program: program.name().to_owned(),
            connection,
            outer,
            user,
            pid,
        })
    }

    /// The user namespace in which a container is made by who has no root.
    pub fn outer(&self) -> Option<BorrowedFd<'_>> {
        self.outer.as_ref().map(AsFd::as_fd)
    }

    /// Has the container of `spec` share the namespaces.
    pub fn share(&self, spec: &mut Spec) {
        tell(spec, &self.program);
        let Some(linux) = spec.linux_mut() else {
            return;
        };
        let mut namespaces = linux.namespaces().clone().unwrap_or_default();
        for (typ, descriptor) in [
            (LinuxNamespaceType::Pid, &self.pid),
            (LinuxNamespaceType::User, &self.user),
        ] {
            namespaces.retain(|namespace| namespace.typ() != typ);
            let mut namespace = LinuxNamespace::default();
            // What is open is that namespace for good; a process's may be another one by now.
            namespace.set_typ(typ).set_path(Some(
                format!("/proc/self/fd/{}", descriptor.as_raw_fd()).into(),
            ));
            namespaces.push(namespace);
        }
        linux.set_namespaces(Some(namespaces));
    }

    /// Leaves them, when the container has ended, with all ended that its command left running. What can't be ended now
    /// ends with the last task.
    pub fn leave(self) {
        let _ = ask(&self.connection, Request::Sweep);
    }
}

/// Says in `spec` that the container shares its processes with the tasks of `program`.
pub fn tell(spec: &mut Spec, program: &str) {
    let annotations = spec.annotations_mut().get_or_insert_default();
    annotations.insert(
        format!("{EXCEPTION_ANNOTATION}{}", Exception::SharedTasks),
        format!(
            "MPI: tasks of {program} on this node see each other's processes, and their memory"
        ),
    );
}

/// A connection to the keeper, and what it gives: outer, user and pid namespace.
type Joined = (OwnedFd, [Option<OwnedFd>; 3]);

fn find(key: &str, is_rootless: bool, directory: &Path) -> io::Result<Joined> {
    let state = State::of_user(directory)?;
    sweep_others(&state, key);
    if let Some(joined) = connect(&state, key)? {
        return Ok(joined);
    }
    let lock = lock(&state, key)?;
    // Of all who come at once, one starts it.
    if let Some(joined) = connect(&state, key)? {
        return Ok(joined);
    }
    let joined = start(&state, key, &lock, is_rootless).and_then(|()| connect(&state, key));
    match joined {
        Ok(Some(joined)) => Ok(joined),
        other => {
            let _ = state.forget(key, lock);
            other.and_then(|_| Err(io::Error::other("their keeper ended at once")))
        }
    }
}

/// What keepers that were killed have left.
fn sweep_others(state: &State, own: &str) {
    for key in state.keys().unwrap_or_default() {
        if key != own && key.starts_with(runtime::container::TASKS_PREFIX) {
            // Whoever can't be swept now stays for the next.
            let _ = state.sweep(&key);
        }
    }
}

fn lock(state: &State, key: &str) -> io::Result<Lock> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(lock) = state.try_lock(key)? {
            return Ok(lock);
        }
        if Instant::now() > deadline {
            return Err(io::Error::other("another task holds their lock"));
        }
        sleep(Duration::from_millis(2));
    }
}

fn start(state: &State, key: &str, lock: &Lock, is_nested: bool) -> io::Result<()> {
    let (said, ready) = pipe_with(PipeFlags::CLOEXEC)?;
    let keeper = Keeper {
        state: State {
            path: state.path.clone(),
            directory: state.directory.try_clone()?,
        },
        key: key.to_owned(),
        listener: state.bind(key, lock)?,
        ready,
        is_nested,
    };
    keeper.start()?;
    let mut text = [0; 256];
    let length = rustix::io::retry_on_intr(|| rustix::io::read(&said, &mut text))?;
    match &text[..length] {
        text if text == READY.as_bytes() => Ok(()),
        [] => Err(io::Error::other("their keeper ended before it began")),
        text => Err(io::Error::other(String::from_utf8_lossy(text).into_owned())),
    }
}

/// None where there is no keeper, or it ends just now.
fn connect(state: &State, key: &str) -> io::Result<Option<Joined>> {
    let Some(connection) = state.connect(key)? else {
        return Ok(None);
    };
    set_socket_timeout(&connection, Timeout::Recv, Some(PATIENCE))?;
    let is_keeper = is_keeper(&connection)?;
    let given = || -> io::Result<[Option<OwnedFd>; 3]> {
        let of = |request| ask(&connection, request);
        Ok([of(Request::Outer)?, of(Request::User)?, of(Request::Pid)?])
    };
    match given() {
        // One that has ended is none any more.
        Err(error) if has_ended(&error) => Ok(None),
        _ if !is_keeper => Err(io::Error::other("who answers for them is no keeper")),
        Ok(given) => Ok(Some((connection, given))),
        Err(error) => Err(error),
    }
}

/// Whether who listens is this user's, the first process of a pid namespace right below this one, and in no container: a
/// command that reaches the directory could listen there as well.
fn is_keeper(connection: &OwnedFd) -> io::Result<bool> {
    let peer = peer_of(connection)?;
    if peer.uid != geteuid().as_raw() {
        return Ok(false);
    }
    let own = fs::read_to_string("/proc/self/status")?;
    match fs::read_to_string(format!("/proc/{}/status", peer.pid)) {
        Ok(theirs) => Ok(is_keepers(&theirs, &own)),
        // It has ended, or is nobody's to look at.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Judged by their `/proc/PID/status` and this process's own.
fn is_keepers(theirs: &str, own: &str) -> bool {
    let field = |status: &str, name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    let pids = field(theirs, "NSpid:").unwrap_or_default();
    let pids: Vec<&str> = pids.split_whitespace().collect();
    // A container's processes have a filter more.
    let [theirs, own] = [theirs, own].map(|status| field(status, "Seccomp_filters:"));
    matches!(pids[..], [_, "1"]) && theirs.is_some() && theirs == own
}

fn has_ended(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keeper_is_first_of_its_pids_and_in_no_container() {
        let own = "Name:\tshifter\nNSpid:\t7\nSeccomp:\t0\nSeccomp_filters:\t0\n";
        for (pids, filters, wanted) in [
            ("40\t1", 0, true),
            ("40\t1", 1, false),
            ("40\t2", 0, false),
            ("1", 0, false),
            ("40", 0, false),
            ("40\t3\t1", 0, false),
        ] {
            let theirs = format!("NSpid:\t{pids}\nSeccomp:\t2\nSeccomp_filters:\t{filters}\n");
            assert_eq!(is_keepers(&theirs, own), wanted, "{theirs}");
        }
        assert!(!is_keepers("", own));
    }
}
