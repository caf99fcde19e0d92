//! A container in the foreground, from its bundle to its end.

use oci_spec::runtime::Spec;

use super::cgroup::Remembered;
use super::guardian::{self, made_up_id, sweep_some};
use super::leftovers;
use super::mount_namespace::Entrance;
use super::process::ProcessId;
use super::start::start_created;
use super::store::{Container, Store};
use super::supervise::{End, Hold, Signals, Supervised};
use super::watch::{Baseline, Bound, Bounds, Measured, Moment, Pump, Telling, Watch};
use super::{Bundle, CreateOptions, Created, Error, Placement, Result, create, delete, start};
use crate::sys::UnmappedNamespace;

/// The exit code of a command that SIGKILL ended, whether it was the first process or a shell tells it.
const KILLED: u8 = 137;

/// How to run.
#[derive(Debug, Default, Clone)]
pub struct RunOptions {
    /// The container's id; made up where absent.
    pub id: Option<String>,
    /// Whether the container stays when its command has ended, until it is deleted.
    pub keep: bool,
    /// How to create.
    pub create: CreateOptions,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The command's exit code, or 128 plus the signal that ended it.
    pub code: u8,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
    /// Whether the command was killed, and the kernel has killed for want of memory: the first process, or another one whose
    /// shell tells it so.
    pub was_out_of_memory: bool,
}

impl From<End> for Outcome {
    fn from(end: End) -> Self {
        let (code, signal) = match end {
            End::Exited(code) => (code, None),
            End::Signalled(signal) => (u8::try_from(128 + signal).unwrap_or(u8::MAX), Some(signal)),
        };
        Self {
            code,
            signal,
            was_out_of_memory: false,
        }
    }
}

/// A command that was held to bounds, and has ended.
#[derive(Debug, Clone)]
pub struct Execution {
    /// How.
    pub outcome: Outcome,
    /// What it used; absent where the bundle has no command.
    pub measured: Option<Measured>,
}

/// Runs the bundle's command to its end and deletes the container.
///
/// The caller goes on in a child of its own process (see [`super::guardian`]). `bundle` is called when
/// whatever it makes will be cleaned up, even if the process is killed; it gets the container's id.
///
/// # Errors
/// The step that failed; the container is gone then as well.
pub fn run(
    store: &Store,
    options: &RunOptions,
    bundle: impl FnOnce(&str) -> Result<Bundle>,
) -> Result<Outcome> {
    run_in_foreground(store, options, None, bundle, |_| {}).map(|ended| ended.outcome)
}

/// Likewise, with the command held to `bounds`. If the process that returns is killed, the one that was called
/// calls `when_killed` with the container's id, when it has cleaned up.
///
/// # Errors
/// As [`run`].
pub fn run_bounded(
    store: &Store,
    options: &RunOptions,
    bounds: &Bounds,
    bundle: impl FnOnce(&str) -> Result<Bundle>,
    when_killed: impl FnOnce(&str),
) -> Result<Execution> {
    run_in_foreground(store, options, Some(bounds), bundle, when_killed)
}

fn run_in_foreground(
    store: &Store,
    options: &RunOptions,
    bounds: Option<&Bounds>,
    bundle: impl FnOnce(&str) -> Result<Bundle>,
    when_killed: impl FnOnce(&str),
) -> Result<Execution> {
    if let Some(id) = &options.id {
        store.check_free(id)?;
    }
    let mut signals = Signals::block()?;
    let guardian = guardian::split(store, options.id.as_deref(), &mut signals, when_killed)?;
    sweep_some(store);
    let worker = ProcessId::current().map_err(Error::step("look at this process"))?;
    let run = made_up_id(worker);
    let id = options.id.clone().unwrap_or_else(|| run.clone());
    store.note_run(&run, &id)?;
    let mut hold = Hold {
        signals: &signals,
        guardian: Some(&guardian),
        terminal: None,
        watch: None,
        memory: None,
    };
    let ended =
        bundle(&id).and_then(|bundle| run_bundle(store, &id, &bundle, options, bounds, &mut hold));
    let cleaned = if options.keep {
        store.end_run(&run, &id)
    } else {
        store.end_run_unless_left(&run, &id)
    };
    let outcome = ended?;
    cleaned?;
    Ok(outcome)
}

/// Runs the bundle's command as the container `id` and leaves it to itself.
///
/// # Errors
/// The step that failed, down to the command's execution; the container is gone then.
pub fn run_detached(
    store: &Store,
    id: &str,
    bundle: &Bundle,
    options: &CreateOptions,
) -> Result<()> {
    let created = create(store, id, bundle, options)?;
    let started = start(created.container);
    if started.is_err() {
        // The first error is the one to report.
        let _ = delete(store, id, true);
    }
    started
}

pub(super) fn run_bundle(
    store: &Store,
    id: &str,
    bundle: &Bundle,
    options: &RunOptions,
    bounds: Option<&Bounds>,
    foreground: &mut Hold<'_>,
) -> Result<Execution> {
    let pumped = bounds.filter(|bounds| bounds.counts_output || bounds.output.is_some());
    let pump = pumped
        .map(|bounds| Pump::new(bounds.output, bounds.truncates_output))
        .transpose()?;
    let telling = bounds.map(Bounds::telling).unwrap_or_default();
    let create = CreateOptions {
        starts_at_once: true,
        ..options.create.clone()
    };
    let prepared = Prepared::new(store, id, bundle, create, telling, pump)?;
    prepared.run(store, options.keep, bounds, foreground)
}

/// A created container, with all that its command needs to be held in the foreground.
#[derive(Debug)]
pub(super) struct Prepared {
    pub created: Created,
    pub pump: Option<Pump>,
    pub ahead: Ahead,
}

/// What a sandbox that was ready before anybody asked for it has besides.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Absent where it is still to be taken.
    pub baseline: Option<Baseline>,
    /// What the container is completed to.
    pub spec: Option<Spec>,
    /// For ids that are mapped; to end it takes a while.
    pub namespace: Option<UnmappedNamespace>,
    /// The way to where mounts are made, until one is.
    pub entrance: Option<Entrance>,
}

impl Prepared {
    /// Creates the container `id`.
    pub(super) fn new(
        store: &Store,
        id: &str,
        bundle: &Bundle,
        options: CreateOptions,
        telling: Telling,
        pump: Option<Pump>,
    ) -> Result<Self> {
        let options = CreateOptions {
            supervised: true,
            output: pump.as_ref().and_then(Pump::ends),
            telling,
            ..options
        };
        let created = create(store, id, bundle, &options)?;
        Ok(Self {
            created,
            pump,
            ahead: Ahead::default(),
        })
    }

    /// Runs the command to its end. The container is deleted then, but for `keep`.
    pub(super) fn run(
        self,
        store: &Store,
        keep: bool,
        bounds: Option<&Bounds>,
        foreground: &mut Hold<'_>,
    ) -> Result<Execution> {
        let Self {
            created,
            mut pump,
            ahead,
        } = self;
        let snapshot = &created.container.snapshot;
        let id = snapshot.id.clone();
        let cgroup = snapshot.cgroup.clone();
        let is_held_together = snapshot.has_pid_namespace || !cgroup.is_anothers();
        let ended = hold(created, ahead, bounds, pump.as_mut(), foreground);
        let ended = ended.map(|execution| Execution {
            outcome: with_memory(execution.outcome, &cgroup),
            ..execution
        });
        let left = match keep && ended.is_ok() {
            true => self::keep(store, &id),
            false => delete(store, &id, true),
        };
        let left = left.and_then(|()| match is_held_together {
            true => Ok(()),
            false => leftovers::end(),
        });
        let mut execution = ended?;
        left?;
        // Last, for it takes as long as the caller takes to read.
        let printed = pump
            .map(|pump| pump.drain(foreground.signals))
            .transpose()?;
        if let (Some(measured), Some((printed, is_exceeded))) = (&mut execution.measured, printed) {
            measured.output = Some(printed);
            // Found out only now, where the command ended before all was read.
            if is_exceeded && bounds.is_some_and(|bounds| !bounds.truncates_output) {
                measured.exceeded.get_or_insert(Bound::Output);
            }
        }
        Ok(execution)
    }
}

/// Makes the container nobody's litter.
fn keep(store: &Store, id: &str) -> Result<()> {
    let mut container = store.open(id)?;
    container.snapshot.supervisor = None;
    container.save()
}

/// With what its cgroup counted, as long as it is there.
fn with_memory(outcome: Outcome, cgroup: &Placement) -> Outcome {
    let has_happened = || outcome.was_out_of_memory || cgroup.was_out_of_memory();
    Outcome {
        was_out_of_memory: outcome.code == KILLED && has_happened(),
        ..outcome
    }
}

fn hold(
    created: Created,
    ahead: Ahead,
    bounds: Option<&Bounds>,
    pump: Option<&mut Pump>,
    foreground: &mut Hold<'_>,
) -> Result<Execution> {
    let Created {
        container,
        has_init,
        terminal,
        refused,
        failures,
    } = created;
    let process = container.snapshot.process;
    let supervised = process
        .map(|process| Supervised::new(process, !has_init))
        .transpose()?;
    let guardian = foreground.guardian.filter(|_| terminal.is_some());
    if let (Some(guardian), Some(master)) = (guardian, terminal) {
        guardian.attach(&master)?;
    }
    let cgroup = &container.snapshot.cgroup;
    let watched = match (bounds, process) {
        (Some(bounds), Some(process)) => {
            let take = || Baseline::take(process.pid, cgroup, bounds.scratch.as_deref());
            Some((bounds, ahead.baseline.map_or_else(take, Ok)?))
        }
        _ => None,
    };
    let memory = match (&watched, process) {
        (None, Some(_)) => cgroup.remember_out_of_memory(),
        // A watch looks by itself.
        _ => None,
    };
    let mut watch = None;
    let now = Moment::now();
    // What the command needs of none of this waits for it: pipes hold what it prints, and who makes a call that is told of.
    let meanwhile = |container: &mut Container| {
        let pump = pump.map(|pump| pump.begin().map(|()| &*pump)).transpose()?;
        watch = watched
            .map(|(bounds, baseline)| Watch::begin(bounds, baseline, now, pump, refused))
            .transpose()?;
        drop(ahead.namespace);
        ahead.spec.map_or(Ok(()), |spec| container.complete(spec))
    };
    let started = start_created(container, failures, meanwhile);
    let ended = started.and_then(|()| match supervised {
        Some(supervised) => supervise(supervised, watch, memory, foreground),
        None => Ok(Execution {
            outcome: Outcome::default(),
            measured: None,
        }),
    });
    if let Some(guardian) = guardian {
        // The caller's own again, before anything is told. A guardian that is gone has none.
        let _ = guardian.detach();
    }
    ended
}

fn supervise(
    supervised: Supervised,
    watch: Option<Watch<'_>>,
    memory: Option<Remembered>,
    foreground: &mut Hold<'_>,
) -> Result<Execution> {
    let mut hold = Hold {
        signals: foreground.signals,
        guardian: foreground.guardian,
        terminal: foreground.terminal.as_deref_mut(),
        watch,
        memory,
    };
    let end = supervised.wait(&mut hold)?;
    let measured = hold.watch.map(|watch| watch.end(end)).transpose()?;
    Ok(Execution {
        outcome: Outcome {
            was_out_of_memory: hold.memory.is_some_and(|memory| memory.has_happened()),
            ..end.into()
        },
        measured,
    })
}
