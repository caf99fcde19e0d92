//! From a bundle to a created container: checked, made, finished and observed, or not there at all.

use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use bundles::promise::{self, Kind};
use bundles::seccomp::Filter;
use libcontainer::notify_socket::NotifyListener;
use libcontainer::oci_spec::runtime::{LinuxNamespaceType, Process, Spec};
use nix::unistd::{geteuid, getgroups, setgroups};
use tracing::debug;

use super::cgroup::{Placement, Wanted};
use super::executor::Payload;
use super::failure::{Failure, FailureReader, FailureWriter, failure_pipe, named_failure_pipe};
use super::first_process::{self, Ours};
use super::first_snapshot::first_snapshot;
use super::handed_over::HandedOver;
use super::id_maps::may_set_groups;
use super::in_cgroup::{self, InCgroup};
use super::listener::HandOver;
use super::normalise::{Normalised, normalise};
use super::ownership::StateDirectory;
use super::pidfd_socket::PidfdSocket;
use super::process::set_own_oom_score;
use super::ready::LateCommandReader;
use super::snapshot::{Snapshot, Status};
use super::store::{Container, Store};
use super::terminal::{Console, ConsoleAt, OwnTerminal};
use super::watch::Telling;
use super::whole_file::write_pid_file;
use super::{
    Bundle, Error, HostOptions, Result, delete, finish, gate, hooks, namespaces, socket_activation,
    stray, user_hooks, well_formed,
};
use crate::preflight;

/// How to create.
#[derive(Debug, Default, Clone)]
pub struct CreateOptions {
    /// Where to write the first process's pid.
    pub pid_file: Option<PathBuf>,
    /// Where an engine waits for the command's terminal.
    pub console_socket: Option<PathBuf>,
    /// The same, where that socket is open and connected already.
    pub console: Option<RawFd>,
    /// Where an engine waits for a descriptor of the process.
    pub pidfd_socket: Option<PathBuf>,
    /// Descriptors from 3 on that the command keeps.
    pub preserve_fds: u16,
    /// Descriptors from 3 on, ahead of those, that are sockets for the container: see [`activated_sockets`].
    ///
    /// [`activated_sockets`]: super::activated_sockets
    pub activated_sockets: u16,
    /// Whether to move to the new root without pivot_root(2), which a root file system in memory refuses.
    pub no_pivot: bool,
    /// Whether the command keeps the caller's session keyring.
    pub no_new_keyring: bool,
    /// Whether `run` holds the container in the foreground: it then dies with its supervisor.
    pub supervised: bool,
    /// Whether the caller starts the container as soon as it is created: that it was created needn't be written down then.
    pub starts_at_once: bool,
    /// Whether the command ignores the signals that the caller ignores, as a program that executes it would have it
    /// (`nohup`, a shell's `&`). No OCI runtime does.
    pub keeps_ignored: bool,
    /// Descriptors for the command's standard output and standard error, instead of the caller's.
    pub output: Option<(RawFd, RawFd)>,
    /// Where the first process finds its command once it is started, instead of in the bundle.
    pub late_command: Option<LateCommandReader>,
    /// Which system calls of the command's to listen to.
    pub telling: Telling,
    /// What the caller says of the host.
    pub host: HostOptions,
}

/// A created container, still locked.
#[derive(Debug)]
pub struct Created {
    /// The container.
    pub container: Container,
    /// Whether a process of ours is the first of its pid namespace.
    pub(super) has_init: bool,
    /// The master end of the command's terminal, where no engine got it.
    pub(super) terminal: Option<OwnedFd>,
    /// The listener of its system call filter, and the filter by which to answer, where that was asked for.
    pub(super) refused: Option<(OwnedFd, Filter)>,
    /// What the first process tells on its way to the command, where the caller starts the container at once.
    pub(super) failures: Option<FailureReader>,
}

/// Creates the container `id` from `bundle`.
///
/// # Errors
/// The step that failed. Nothing of the container is left then.
pub fn create(
    store: &Store,
    id: &str,
    bundle: &Bundle,
    options: &CreateOptions,
) -> Result<Created> {
    // Before anything of the bundle's is looked at, or made in it.
    store.check_free(id)?;
    well_formed::check(&bundle.spec).map_err(|reason| Error::Config {
        path: bundle.config.clone(),
        reason,
    })?;
    if let Some(kind) = bundle.kind {
        gate::only_granted_exceptions(bundle)?;
        gate::check(&bundle.spec, kind)?;
    }
    refuse_without_pivot(bundle, options)?;
    let links = match bundle.kind {
        Some(_) => preflight::Links::Refused,
        None => preflight::Links::Followed,
    };
    let mount_targets = preflight::mount_targets(&bundle.rootfs, &bundle.spec, links)?;
    preflight::must_be_there(&bundle.rootfs, &bundle.spec)?;
    preflight::working_directory(&bundle.rootfs, &bundle.spec)?;
    preflight::make_room(&bundle.rootfs, &bundle.spec)?;
    debug!(bundle = %bundle.directory.display(), "looked at the bundle and its root file system");
    let mut normalised = normalise(bundle, &mount_targets)?;
    let mut options = options.clone();
    options.host = options.host.settled();
    #[cfg(feature = "fault-points")]
    super::fault::weaken(&mut normalised, &mut options);
    if let Some(filter) = &mut normalised.filter {
        filter.tell(options.telling);
    }
    socket_activation::announce(
        &mut normalised.spec,
        options.activated_sockets,
        bundle.kind.is_some(),
    )?;
    let cgroup = Placement::plan(&Wanted {
        path: normalised.cgroup.clone(),
        default: store.cgroup(id),
        host: options.host,
    })?;
    let process = bundle.spec.process().as_ref();
    let console = Console::plan(
        process.and_then(Process::terminal) == Some(true),
        !options.supervised,
        ConsoleAt::either(options.console_socket.as_deref(), options.console),
    )?;
    let snapshot = first_snapshot(id, bundle, cgroup, &options)?;
    let directory = store.claim(id)?;
    debug!(id, directory = %directory.path().display(), "claimed the id");
    let outcome = create_claimed(directory, snapshot, bundle, &normalised, &options, &console);
    if outcome.is_err() {
        // The first error is the one to report; `delete --force` finishes what this can't.
        let _ = delete::remove_everything(store, id);
    }
    outcome
}

fn environment_of(spec: &Spec) -> Vec<String> {
    let process = spec.process().as_ref();
    let environment = process.and_then(|process| process.env().clone());
    environment.unwrap_or_default()
}

/// Without pivot_root(2) the old root stays, below the new one.
fn refuse_without_pivot(bundle: &Bundle, options: &CreateOptions) -> Result<()> {
    let refused = |what: &str, why: &str| Err(Error::unsupported(what, why));
    let mount = LinuxNamespaceType::Mount;
    match (options.no_pivot, bundle.kind) {
        (true, Some(_)) => refused(
            "--no-pivot with a sealed bundle",
            "its promise is that there is no way back to the host's root",
        ),
        (true, None)
            if namespaces::is_listed(&bundle.spec, mount)
                && !namespaces::is_new(&bundle.spec, mount) =>
        {
            refused(
                "--no-pivot with a mount namespace joined by its path",
                "the file systems that would be hidden in it are another's",
            )
        }
        _ => Ok(()),
    }
}

fn create_claimed(
    directory: StateDirectory,
    snapshot: Snapshot,
    bundle: &Bundle,
    normalised: &Normalised,
    options: &CreateOptions,
    console: &Console,
) -> Result<Created> {
    let mut container = Container::new(directory, snapshot, &bundle.spec)?;
    let pidfd_socket = PidfdSocket::connect(options.pidfd_socket.as_deref())?;
    drop_groups()?;
    let (mut failures, writer) = match options.starts_at_once {
        // Read by this process alone.
        true => failure_pipe()?,
        false => named_failure_pipe(&container.failures())?,
    };
    let payload = payload(bundle, normalised, options, writer)?;
    let has_init = payload.has_init;
    let sealed = bundle.kind.is_some();
    let terminal = console.is_wanted().then(OwnTerminal::expect).transpose()?;
    let number = terminal.as_ref().map(OwnTerminal::number);
    let made = make(&mut container, normalised, payload, options, sealed, number);
    failures.close_writer();
    let (pid, listener) = match made {
        Ok(made) => made,
        // Nothing that a killed process could have said.
        Err(_) if container.snapshot.cgroup.was_out_of_memory() => {
            return Err(Error::OutOfMemory);
        }
        Err(error) => return Err(failures.take().map_or(error, Failure::into)),
    };
    debug!(pid, "made the first process");
    if !is_fault("no-finish") {
        finish::finish(pid, normalised, &bundle.rootfs, sealed)?;
    }
    stray::refuse(pid, &bundle.spec, &normalised.mounts)?;
    debug!("finished its mounts");
    if let Some(kind) = bundle.kind {
        gate::observe(pid, &container.snapshot.cgroup, &bundle.spec, kind)?;
    }
    let terminal = match (terminal, normalised.spec.process()) {
        (Some(terminal), Some(process)) => {
            console.hand_over(terminal.take(pid, process, console)?)?
        }
        _ => None,
    };
    if let (Some(socket), Some(process)) = (&pidfd_socket, container.snapshot.process) {
        socket.send(process)?;
    }
    if let Some(path) = &options.pid_file {
        write_pid_file(path, pid)?;
    }
    container.snapshot.status = Status::Created;
    if !options.starts_at_once {
        container.save()?;
    }
    debug!(id = container.id(), "created");
    let filter = normalised.filter.as_ref();
    let refused = listener.zip(filter.map(|filter| filter.answers().clone()));
    Ok(Created {
        container,
        has_init,
        terminal,
        refused,
        failures: options.starts_at_once.then_some(failures),
    })
}

/// What the first process does beside libcontainer's part.
fn payload(
    bundle: &Bundle,
    normalised: &Normalised,
    options: &CreateOptions,
    failures: FailureWriter,
) -> Result<Payload> {
    let is_sealed = bundle.kind.is_some();
    Ok(Payload {
        filter: normalised.filter.clone(),
        capabilities: normalised.capabilities,
        failures,
        // Ours alone: other engines bring an init of their own, or do without on purpose.
        has_init: matches!(bundle.kind, Some(Kind::OptServer | Kind::Shifter)),
        environment: environment_of(&normalised.spec),
        enters: None,
        is_sealed,
        dies_with_parent: options.supervised,
        keeps_ignored: options.keeps_ignored,
        keeps_keyring: options.no_new_keyring,
        can_be_looked_at: !geteuid().is_root(),
        is_among_others: is_sealed && promise::shares_tasks(&bundle.spec),
        late: options.late_command.clone(),
        user_hooks: user_hooks::of(bundle)?,
    })
}

/// libcontainer leaves the caller's supplementary groups where the spec lists none (T2). In a user namespace
/// with a single mapping nobody may (CVE-2014-8989).
fn drop_groups() -> Result<()> {
    let failed = || Error::step("drop supplementary groups");
    let has_any = geteuid().is_root() && !getgroups().map_err(failed())?.is_empty();
    if has_any && may_set_groups("self")? {
        setgroups(&[]).map_err(failed())?;
    }
    Ok(())
}

/// Has libcontainer make the first process; gives its pid, and the listener of its filter where that is ours.
fn make(
    container: &mut Container,
    normalised: &Normalised,
    payload: Payload,
    options: &CreateOptions,
    sealed: bool,
    terminal: Option<RawFd>,
) -> Result<(i32, Option<OwnedFd>)> {
    let listener = NotifyListener::new(&container.notify_socket())
        .map_err(|error| Error::Libcontainer(error.to_string()))?;
    set_oom_score(normalised)?;
    let is_rootless = options.host.is_rootless();
    if is_rootless {
        container.save()?;
        // Before it is decided what is mounted: some hierarchies may be refused.
        in_cgroup::claim(container, &normalised.spec, true)?;
    }
    let handed_over = HandedOver::of(
        normalised,
        &container.snapshot,
        options.no_pivot,
        terminal.is_some(),
        sealed,
        // An Opt-Server's is made for the one run, and Shifter's images are read-only.
        payload.has_init,
    )?;
    let is_direct = handed_over.taken_out.is_direct;
    let is_made_beside = is_direct && !is_rootless;
    if is_made_beside {
        if container.snapshot.cgroup.has_birthplace() {
            container.save()?;
        }
        in_cgroup::claim_birthplace(container)?;
    } else if !is_rootless {
        container.save()?;
        in_cgroup::claim(container, &normalised.spec, false)?;
    }
    if !is_direct {
        // What is made for a process that is direct is saved with it, before it is in any of that.
        container.save()?;
    }
    let (failures, is_among_others) = (payload.failures, payload.is_among_others);
    let view = hooks::libcontainer_view(container);
    let (arguments, taken_out) = handed_over.split(payload, listener, view, terminal, options);
    let ours = Ours {
        taken_out,
        failures,
        listener: HandOver::of(normalised.filter.as_ref(), &container.snapshot),
        output: options.output,
        is_among_others,
    };
    socket_activation::forget();
    let mut place = InCgroup::new(container, &normalised.spec, is_rootless, sealed)?;
    place.is_made_beside = is_made_beside;
    let pid = first_process::make(&arguments, &ours, &mut place)?;
    Ok((pid, ours.listener.and_then(HandOver::kept)))
}

/// libcontainer's builder, which this doesn't go through, sets it on itself for its children.
fn set_oom_score(normalised: &Normalised) -> Result<()> {
    let score = normalised
        .spec
        .process()
        .as_ref()
        .and_then(|process| process.oom_score_adj());
    match score {
        Some(score) => set_own_oom_score(score).map_err(Error::step("set oom_score_adj")),
        None => Ok(()),
    }
}

/// Whether a test asks for this fault; never in a build that is meant for use.
fn is_fault(name: &str) -> bool {
    #[cfg(feature = "fault-points")]
    return super::fault::is(name);
    #[cfg(not(feature = "fault-points"))]
    {
        let _ = name;
        false
    }
}
