//! A sandbox that is made ready before anybody asks for it: created, sealed and observed, without a project and
//! without a command line.
//!
//! A request completes it: the project is mounted, the command line handed to the first process, which waits to be
//! started. Nothing else can a request change. What it asks for is the whole bundle of its command line, as it
//! would be made just now; where that differs from the ready one in anything more, or the host's files did change
//! meanwhile, the ready one is thrown away and the command runs in a sandbox made anew. What is completed is held
//! to its promise once more, as a whole, before it is started. Each is used once.

mod difference;
mod late_command;
mod sources;

use std::mem;
use std::os::fd::{AsFd, BorrowedFd};

use oci_spec::runtime::Spec;
use rustix::event::{PollFd, PollFlags, poll};

pub use late_command::LateCommandReader;

use super::guardian::{self, Guardian, made_up_id, sweep_some};
use super::mount_namespace::Entrance;
use super::prepare::attach_late;
use super::process::ProcessId;
use super::run::{Ahead, Prepared, run_bundle};
use super::snapshot::Snapshot;
use super::store::Store;
use super::supervise::{Hold, Signals};
use super::watch::{Baseline, Bounds, Pump};
use super::{Bundle, CreateOptions, Error, Execution, Result, RunOptions, delete, gate};
use crate::sys::{UnmappedNamespace, populate_all};
use difference::Difference;
use late_command::{LateCommand, LateCommandFile};
use sources::Sources;

/// What is asked for.
#[derive(Debug)]
pub struct Request<B> {
    /// The spec of the bundle that `anew` would make.
    pub spec: Spec,
    /// Whether that bundle's root file system is the ready one's.
    pub has_same_root: bool,
    /// Whether the command's standard error goes where its standard output does.
    pub is_one_output: bool,
    /// What the command is held to; its temporary directory is where the ready one has it.
    pub bounds: Bounds,
    /// Makes the bundle, for the run with this id.
    pub anew: B,
}

/// A sandbox that waits for a request. Whoever has one runs or discards it.
#[derive(Debug)]
pub struct Ready {
    store: Store,
    id: String,
    signals: Signals,
    guardian: Guardian,
    bundle: Bundle,
    sources: Sources,
    command: LateCommandFile,
    prepared: Prepared,
}

impl Ready {
    /// Makes the sandbox of a sealed bundle. `bounds` hold until there is a request; the rest is as with
    /// [`run_bounded`](super::run_bounded), the caller's going on in a child of its own process too.
    ///
    /// # Errors
    /// The step that failed; nothing is left then.
    pub fn make(
        store: &Store,
        bounds: &Bounds,
        bundle: impl FnOnce(&str) -> Result<Bundle>,
        when_killed: impl FnOnce(&str),
    ) -> Result<Self> {
        let mut signals = Signals::block()?;
        let guardian = guardian::split(store, None, &mut signals, when_killed)?;
        sweep_some(store);
        let worker = ProcessId::current().map_err(Error::step("look at this process"))?;
        let id = made_up_id(worker);
        store.note_run(&id, &id)?;
        let made = bundle(&id).and_then(|bundle| {
            // Before they are mounted: what is another file by then is found to be one later.
            let sources = Sources::of(&bundle.spec)?;
            let command = LateCommandFile::new()?;
            let prepared = prepare(store, &id, &bundle, bounds, &command)?;
            Ok((bundle, sources, command, prepared))
        });
        if made.is_err() {
            // The first error is the one to report.
            let _ = store.end_run_unless_left(&id, &id);
        }
        let (bundle, sources, command, prepared) = made?;
        populate_all();
        Ok(Self {
            store: store.clone(),
            id,
            signals,
            guardian,
            bundle,
            sources,
            command,
            prepared,
        })
    }

    /// Waits until there is something to read from `socket`. `false` where the sandbox is to go instead: a signal
    /// came, or its guardian is gone.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn wait_for_word(&self, socket: BorrowedFd<'_>) -> Result<bool> {
        loop {
            let mut waiting = [
                self.guardian.as_poll_fd(),
                PollFd::from_borrowed_fd(socket, PollFlags::IN),
                PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            ];
            match poll(&mut waiting, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(Error::step("wait for a request")(errno)),
            }
            let [is_alone, is_asked, is_signalled] =
                waiting.map(|descriptor| !descriptor.revents().is_empty());
            if is_alone {
                return Ok(false);
            }
            // A signal that comes with the request is for the command.
            if is_asked || is_signalled {
                return Ok(is_asked);
            }
        }
    }

    /// Removes it.
    ///
    /// # Errors
    /// What stays in the way.
    pub fn discard(self) -> Result<()> {
        // With its lock.
        drop(self.prepared);
        delete(&self.store, &self.id, true)?;
        self.store.end_run(&self.id, &self.id)
    }

    /// Runs what is asked for to its end: in this sandbox where it can be completed, else in one made anew. Tells
    /// besides whether it was this one.
    ///
    /// # Errors
    /// The step that failed; nothing is left then.
    pub fn run<B: FnOnce(&str) -> Result<Bundle>>(
        mut self,
        mut request: Request<B>,
    ) -> Result<(Execution, bool)> {
        let completed = self.complete(&mut request);
        let Self {
            store,
            id,
            signals,
            guardian,
            prepared,
            ..
        } = self;
        let mut hold = Hold {
            signals: &signals,
            guardian: Some(&guardian),
            terminal: None,
            watch: None,
            memory: None,
        };
        let bounds = Some(&request.bounds);
        let ended = match &completed {
            Ok(()) => prepared.run(&store, false, bounds, &mut hold),
            // Nothing of the user's has run, and a sandbox made anew tells by itself what is wrong with it, if
            // anything is.
            Err(reason) => {
                tracing::info!(%reason, "the ready sandbox doesn't serve, so one is made");
                drop(prepared);
                delete(&store, &id, true)
                    .and_then(|()| store.remove_scratch(&id))
                    .and_then(|()| (request.anew)(&id))
                    .and_then(|bundle| {
                        let options = RunOptions::default();
                        run_bundle(&store, &id, &bundle, &options, bounds, &mut hold)
                    })
            }
        };
        let cleaned = store.end_run_unless_left(&id, &id);
        let execution = ended?;
        cleaned?;
        Ok((execution, completed.is_ok()))
    }

    /// Makes it the sandbox that is asked for, whole, and holds it to its promise.
    fn complete<B>(&mut self, request: &mut Request<B>) -> Result<()> {
        let difference = Difference::between(&mut self.bundle.spec, &mut request.spec);
        let difference = difference.map_err(unfit)?;
        let spec = &request.spec;
        if !request.has_same_root {
            return Err(unfit("its root file system would be another one"));
        }
        if !self.sources.are_the_same() {
            return Err(unfit("files of the host that it shows are others by now"));
        }
        let kind = self.bundle.kind;
        let kind = kind.ok_or_else(|| unfit("it isn't sealed"))?;
        gate::check(spec, kind)?;
        let Prepared {
            created,
            pump,
            ahead,
        } = &mut self.prepared;
        let container = &mut created.container;
        let process = container.snapshot.process;
        let pid = process.map(|process| process.pid);
        let entrance = pid.zip(ahead.entrance.take());
        let (pid, entrance) = entrance.ok_or_else(|| unfit("it has no process"))?;
        let namespace = ahead.namespace.as_ref();
        attach_late(entrance, &difference.project, spec, namespace)?;
        if let Some(resources) = &difference.memory {
            container.snapshot.cgroup.update(resources)?;
        }
        gate::observe(pid, &container.snapshot.cgroup, spec, kind)?;
        if let Some(pump) = pump {
            pump.limit(request.bounds.output);
        }
        let process = spec.process().as_ref();
        let arguments = process.and_then(|process| process.args().clone());
        self.command.write(&LateCommand {
            arguments: arguments.unwrap_or_default(),
            is_one_output: request.is_one_output,
        })?;
        ahead.spec = Some(mem::take(&mut request.spec));
        Ok(())
    }
}

fn unfit(why: &'static str) -> Error {
    Error::unsupported("a ready sandbox for this request", why)
}

fn prepare(
    store: &Store,
    id: &str,
    bundle: &Bundle,
    bounds: &Bounds,
    command: &LateCommandFile,
) -> Result<Prepared> {
    let options = CreateOptions {
        late_command: Some(command.reader()?),
        ..CreateOptions::default()
    };
    let pump = Pump::of_two(bounds.output, bounds.truncates_output)?;
    let mut prepared = Prepared::new(store, id, bundle, options, bounds.telling(), Some(pump))?;
    match look_ahead(&prepared.created.container.snapshot, bounds) {
        Ok(ahead) => prepared.ahead = ahead,
        Err(error) => {
            // With its lock.
            drop(prepared);
            // The first error is the one to report.
            let _ = delete(store, id, true);
            return Err(error);
        }
    }
    Ok(prepared)
}

/// Does what else can be done before anybody asks.
fn look_ahead(snapshot: &Snapshot, bounds: &Bounds) -> Result<Ahead> {
    let Some(process) = snapshot.process else {
        return Ok(Ahead::default());
    };
    let scratch = bounds.scratch.as_deref();
    Ok(Ahead {
        baseline: Some(Baseline::take(process.pid, &snapshot.cgroup, scratch)?),
        spec: None,
        // Where it can't be made, that is tried again, and told, when it is needed.
        namespace: UnmappedNamespace::new().ok(),
        entrance: Some(Entrance::of(process.pid)?),
    })
}
