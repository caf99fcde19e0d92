//! `exec`: another process in a container that is there, with all that its specification says.
//!
//! Ours and not libcontainer's, whose exec applies neither the seccomp filter nor the user namespace. The
//! steps: take hold of the container ([`target`]); make an *intermediate* that joins it ([`intermediate`]),
//! takes on what the specification says ([`outside`], [`inside`]), and makes the *member* ([`member`]); look at
//! the member, where the bundle is sealed, as the start gate does; let it execute; hold it or leave it.

mod birth;
mod channel;
mod inside;
mod intermediate;
mod member;
mod outside;
mod request;
mod sub_cgroup;
mod target;
mod user;

use std::os::fd::RawFd;
use std::path::PathBuf;

use bundles::promise::Kind;
use libcontainer::oci_spec::runtime::{Process, Spec};
use nix::unistd::geteuid;
use rustix::thread::CapabilitySets;
use tracing::debug;

use super::failure::{FailureWriter, failure_pipe};
use super::id_maps::IdMaps;
use super::normalise::normalise_process;
use super::pidfd_socket::PidfdSocket;
use super::run::Outcome;
use super::seccomp::SystemCallFilter;
use super::snapshot::{Snapshot, Status};
use super::store::Store;
use super::supervise::{Hold, Signals, Supervised};
use super::terminal::{Attached, Console, ConsoleAt};
use super::whole_file::write_pid_file;
use super::{Error, Result, gate};
use crate::policy;
use crate::sys::set_scheduler;
use birth::Born;
pub use request::{Changes, ExecRequest};
pub use sub_cgroup::{SubCgroup, SubCgroupError};
use target::Target;
pub use user::{UserArgument, UserError};

/// How to execute.
#[derive(Debug, Default, Clone)]
pub struct ExecOptions {
    /// Whether to leave the process to itself once it executes.
    pub detach: bool,
    /// Where to write its pid.
    pub pid_file: Option<PathBuf>,
    /// Where an engine waits for the command's terminal.
    pub console_socket: Option<PathBuf>,
    /// The same, where that socket is open and connected already.
    pub console: Option<RawFd>,
    /// Where an engine waits for a descriptor of the process.
    pub pidfd_socket: Option<PathBuf>,
    /// Descriptors from 3 on that the command keeps.
    pub preserve_fds: u16,
    /// Whether to go into a paused container, where the process waits until it is resumed.
    pub ignore_paused: bool,
    /// Cgroups below the container's to run in.
    pub sub_cgroups: Vec<SubCgroup>,
}

/// What the processes that are made need to know.
struct Task<'a> {
    container: &'a Snapshot,
    spec: &'a Spec,
    process: &'a Process,
    filter: Option<&'a SystemCallFilter>,
    capabilities: Option<CapabilitySets>,
    target: Target,
    id_maps: Option<&'a IdMaps>,
    sub_cgroups: &'a [SubCgroup],
    preserve_fds: u16,
    failures: FailureWriter,
    /// Whether what the specification says is promised: the environment is the listed one.
    is_sealed: bool,
    /// Whether the process must not outlive the runtime, which holds it in the foreground.
    dies_with_parent: bool,
    /// Whether the runtime, without root's privileges, may look at a sealed process only if that allows it.
    can_be_looked_at: bool,
}

impl Task<'_> {
    /// The filter, where the process is to be born with it.
    fn inherited_filter(&self) -> Option<&SystemCallFilter> {
        // Applying a profile takes more calls than can be foreseen.
        let has_profile = self.process.apparmor_profile().is_some();
        let flags = libc::CLONE_PARENT | libc::SIGCHLD;
        self.filter
            .filter(|filter| !has_profile && filter.can_be_inherited(flags))
    }
}

/// Executes what `request` asks for in the container `id`: its end, or success where it is detached.
///
/// No lock is held: other commands, and others of this kind, go on beside it.
///
/// # Errors
/// [`Error::NotRunning`] and [`Error::Paused`] where the container can't have a process; the step that failed.
pub fn exec(
    store: &Store,
    id: &str,
    request: &ExecRequest,
    options: &ExecOptions,
) -> Result<Outcome> {
    let (born, console) = make(store, id, request, options)?;
    if options.detach {
        leave(born, &console).map(|_| Outcome::default())
    } else {
        hold(born, console)
    }
}

/// Likewise, detached whatever `options` say; gives the process's pid, a child's of the calling one.
///
/// # Errors
/// As [`exec`].
pub fn exec_detached(
    store: &Store,
    id: &str,
    request: &ExecRequest,
    options: &ExecOptions,
) -> Result<i32> {
    let options = ExecOptions {
        detach: true,
        ..options.clone()
    };
    let (born, console) = make(store, id, request, &options)?;
    leave(born, &console)
}

/// Makes the process, which waits to execute.
fn make(
    store: &Store,
    id: &str,
    request: &ExecRequest,
    options: &ExecOptions,
) -> Result<(Born, Console)> {
    // As the caller, and before anything is made.
    let console = Console::plan(
        request.wants_terminal(),
        options.detach,
        ConsoleAt::either(options.console_socket.as_deref(), options.console),
    )?;
    let pidfd_socket = PidfdSocket::connect(options.pidfd_socket.as_deref())?;
    let container = store.look(id)?;
    can_have_a_process(&container, options)?;
    let mut own = store.spec(id)?;
    // As they were made, for the container's own process.
    IdMaps::make_explicit(&mut own);
    let mut promised = request.apply(own.clone())?;
    policy::seal_exec(&own, &mut promised);
    let kind = Kind::of(&promised).map_err(|error| Error::Argument(error.to_string()))?;
    if let Some(kind) = kind {
        gate::check(&promised, kind)?;
    }
    #[cfg_attr(not(feature = "fault-points"), expect(unused_mut))]
    let (spec, mut filter, capabilities) = normalise_process(&promised, kind.is_some())?;
    #[cfg(feature = "fault-points")]
    super::fault::weaken_filter(&mut filter);
    let id_maps = IdMaps::of(&spec)?;
    let Some(process) = spec.process() else {
        return Err(Error::Argument("no process to execute".to_owned()));
    };
    let target = Target::open(&container)?;
    debug!(
        id,
        "looked at the container and the process that it is to have"
    );
    let (failures, writer) = failure_pipe()?;
    let task = Task {
        container: &container,
        spec: &spec,
        process,
        filter: filter.as_ref(),
        capabilities,
        target,
        id_maps: id_maps.as_ref(),
        sub_cgroups: &options.sub_cgroups,
        preserve_fds: options.preserve_fds,
        failures: writer,
        is_sealed: kind.is_some(),
        dies_with_parent: !options.detach,
        can_be_looked_at: kind.is_some() && !geteuid().is_root(),
    };
    let born = birth::make(&task, failures)?;
    debug!(pid = born.process.pid, "made the process");
    if let Some(scheduler) = process.scheduler() {
        // From outside: it takes rights that the process hasn't, and isn't always inherited.
        set_scheduler(born.process.pid, scheduler).map_err(Error::step("set the scheduler"))?;
    }
    if let Some(kind) = kind {
        gate::observe(born.process.pid, &container.cgroup, &promised, kind)?;
    }
    if let Some(socket) = &pidfd_socket {
        socket.send(born.process)?;
    }
    if let Some(path) = &options.pid_file {
        write_pid_file(path, born.process.pid)?;
    }
    match (&born.terminal, console.is_wanted()) {
        (Some(master), true) => console.set_first_size(master, process)?,
        (None, false) => {}
        _ => return Err(Error::Exec("the terminal was lost".to_owned())),
    }
    Ok((born, console))
}

/// The texts are runc's, which engines know.
fn can_have_a_process(container: &Snapshot, options: &ExecOptions) -> Result<()> {
    match container.status() {
        Status::Created | Status::Running => Ok(()),
        Status::Paused if options.ignore_paused => Ok(()),
        Status::Paused => Err(Error::Paused),
        status @ (Status::Creating | Status::Stopped) => Err(Error::NotRunning {
            id: container.id.clone(),
            status,
        }),
    }
}

fn leave(mut born: Born, console: &Console) -> Result<i32> {
    let pid = born.process.pid;
    if let Some(master) = born.terminal.take() {
        console.hand_over(master)?;
    }
    match born.let_go()?.take() {
        Some(failure) => Err(birth::error_of(failure)),
        None => Ok(pid),
    }
}

/// Holds the process in the foreground to its end.
fn hold(mut born: Born, console: Console) -> Result<Outcome> {
    let mut signals = Signals::block()?;
    let supervised = Supervised::new(born.process, false)?;
    let mut terminal = None;
    if let (Console::Caller(callers), Some(master)) = (console, born.terminal.take()) {
        signals.add(&Attached::SIGNALS)?;
        terminal = Some(Attached::begin(*callers, master)?);
    }
    let failures = born.let_go()?;
    let end = supervised.wait(&mut Hold {
        signals: &signals,
        guardian: None,
        terminal: terminal.as_mut(),
        watch: None,
        memory: None,
    });
    // The caller's own again, before anything is told.
    drop(terminal);
    match failures.take() {
        Some(failure) => Err(birth::error_of(failure)),
        None => Ok(end?.into()),
    }
}
