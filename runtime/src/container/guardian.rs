//! Two processes for a foreground `run`, so that one is left to clean up whichever is killed.
//!
//! The process that was called becomes the *guardian* and the work goes on in its child, the *worker*.
//! If the worker is killed, the guardian inherits all that the worker had begun, down to libcontainer's
//! half-done children, ends it and removes the container. If the guardian is killed, the worker sees it
//! and ends its container itself. If both are killed at once, the next run sweeps, or one of the next where there are
//! many at once.

use std::os::fd::{AsFd, OwnedFd};
use std::process::exit;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, setpgid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::delete::remove_everything;
use super::process::{ProcessId, children, is_alive};
use super::store::Store;
use super::supervise::Signals;
use super::terminal::{Attached, CallerTerminal};
use super::{Error, Result};
use crate::passing;
use crate::sys::fork;
use crate::telling;

/// The worker's hold on its guardian.
#[derive(Debug)]
pub(super) struct Guardian {
    process: OwnedFd,
    socket: OwnedFd,
}

/// What the worker asks of the guardian, which answers with nothing or with what went wrong.
const ATTACH: &[u8] = b"attach";
const DETACH: &[u8] = b"detach";
const DONE: &[u8] = b"done";

impl Guardian {
    /// Its end can be polled.
    pub(super) fn as_poll_fd(&self) -> PollFd<'_> {
        PollFd::new(&self.process, PollFlags::IN)
    }

    /// Has the guardian connect the caller's terminal with the one behind `master`. The guardian, for only
    /// that one is in the terminal's reach.
    ///
    /// # Errors
    /// What went wrong there.
    pub(super) fn attach(&self, master: &OwnedFd) -> Result<()> {
        self.ask(ATTACH, Some(master))
    }

    /// Has the guardian give the caller's terminal back, when all that the command printed is there.
    ///
    /// # Errors
    /// Where the guardian is gone.
    pub(super) fn detach(&self) -> Result<()> {
        self.ask(DETACH, None)
    }

    fn ask(&self, what: &[u8], master: Option<&OwnedFd>) -> Result<()> {
        let failed = "ask the first process of this run";
        passing::send(&self.socket, what, master.map(AsFd::as_fd)).map_err(Error::step(failed))?;
        let mut answer = [0; 1024];
        let (length, _) = passing::receive(&self.socket, &mut answer, RecvFlags::empty())
            .map_err(Error::step(failed))?;
        match answer.get(..length) {
            Some(DONE) => Ok(()),
            Some([]) | None => Err(Error::step(failed)(std::io::Error::from_raw_os_error(
                libc::ESRCH,
            ))),
            Some(reason) => Err(Error::Exec(String::from_utf8_lossy(reason).into_owned())),
        }
    }
}

/// Splits this process. Returns in the worker only; the guardian exits with the worker's code.
///
/// `id` names the container, where the caller did; the worker's process does otherwise. Where the worker is killed,
/// the guardian calls `when_killed` with it when it has cleaned up.
///
/// # Errors
/// Where the split fails; there is one process then.
pub(super) fn split(
    store: &Store,
    id: Option<&str>,
    signals: &mut Signals,
    when_killed: impl FnOnce(&str),
) -> Result<Guardian> {
    let process = pidfd_open(getpid(), PidfdFlags::empty())
        .map_err(Error::step("open a descriptor for this process"))?;
    rustix::process::set_child_subreaper(Some(getpid()))
        .map_err(Error::step("adopt what a killed run leaves"))?;
    let (own_socket, socket) =
        passing::pair().map_err(Error::step("make a socket for the worker"))?;
    let Some(worker) = fork().map_err(Error::step("fork the worker"))? else {
        // Out of the terminal's reach: the guardian passes on what comes from there, once.
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(Error::step("leave the group"))?;
        // What the command leaves running is this process's to end: see `leftovers`.
        rustix::process::set_child_subreaper(Some(getpid()))
            .map_err(Error::step("adopt what the command leaves"))?;
        telling::follow_this_process();
        return Ok(Guardian { process, socket });
    };
    drop(socket);
    let code = match guard(worker, signals, &own_socket) {
        Some(ended) => {
            if ended.was_interrupted && ended.code == 128 + Signal::SIGINT as i32 {
                end_by_interrupt();
            }
            ended.code
        }
        None => {
            // It hasn't been waited for yet, and so is still to be seen.
            let run = ProcessId::of(worker.as_raw()).ok().map(made_up_id);
            end_children();
            if let Some(run) = &run {
                let id = id.unwrap_or(run);
                // There is nobody left to tell but the next run, which sweeps.
                let _ = remove_run(store, run, id);
                when_killed(id);
            }
            128 + Signal::SIGKILL as i32
        }
    };
    exit(code)
}

/// How the worker ended.
struct Ended {
    code: i32,
    /// Whether the caller has typed the key that interrupts.
    was_interrupted: bool,
}

/// Ends this process as the command was ended: a shell that runs a script goes on to the next line otherwise, as if
/// the command had done with the key what it wanted.
fn end_by_interrupt() {
    let mut interrupts = SigSet::empty();
    interrupts.add(Signal::SIGINT);
    let _ = kill(Pid::this(), Signal::SIGINT);
    let _ = interrupts.thread_unblock();
}

/// Passes signals on, and what goes between two terminals, until the worker ends; `None` where it was killed, and is to be
/// waited for.
fn guard(worker: Pid, signals: &mut Signals, socket: &OwnedFd) -> Option<Ended> {
    let pid = rustix::process::Pid::from_raw(worker.as_raw())?;
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let mut terminal: Option<Attached> = None;
    let mut was_interrupted = false;
    // Its end stays to be read when the worker has closed the other one on its way out.
    let mut socket = Some(socket);
    loop {
        let is_asked = wait_for_news(&process, signals, socket, terminal.as_ref());
        while let Ok(Some(signal)) = signals.next() {
            let terminal = terminal.as_mut();
            if !terminal.is_some_and(|terminal| terminal.handle(signal)) {
                let _ = kill(worker, signal);
            }
        }
        if let Some(terminal) = &mut terminal {
            terminal.turn();
            was_interrupted |= terminal.was_interrupted();
        }
        if let Some(open) = socket.filter(|_| is_asked)
            && !answer(open, signals, &mut terminal)
        {
            socket = None;
        }
        let options = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(worker), options) {
            Ok(WaitStatus::StillAlive) => {}
            Ok(WaitStatus::Exited(_, code)) => {
                let _ = waitpid(worker, None);
                return Some(Ended {
                    code,
                    was_interrupted,
                });
            }
            _ => return None,
        }
    }
}

/// Waits until there is something to do; whether the worker asks something.
fn wait_for_news(
    worker: &OwnedFd,
    signals: &Signals,
    socket: Option<&OwnedFd>,
    terminal: Option<&Attached>,
) -> bool {
    let mut waiting = vec![
        PollFd::new(worker, PollFlags::IN),
        PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
    ];
    waiting.extend(terminal.map(Attached::waiting).unwrap_or_default());
    waiting.extend(socket.map(|socket| PollFd::new(socket, PollFlags::IN)));
    let patience = terminal.and_then(Attached::patience);
    let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
    let _ = poll(&mut waiting, patience.as_ref());
    let last = waiting.last().filter(|_| socket.is_some());
    last.is_some_and(|socket| socket.revents().contains(PollFlags::IN))
}

/// Does what the worker asks, and tells it so; whether it may ask more.
fn answer(socket: &OwnedFd, signals: &mut Signals, terminal: &mut Option<Attached>) -> bool {
    let mut what = [0; 16];
    let received = passing::receive(socket, &mut what, RecvFlags::DONTWAIT);
    let Ok((1.., master)) = received else {
        return received.is_err();
    };
    let attached = match (master, CallerTerminal::find()) {
        (Some(master), Some(callers)) => signals
            .add(&Attached::SIGNALS)
            .and_then(|()| Attached::begin(callers, master))
            .map(Some),
        // To detach; where the caller's terminal is gone, there is nothing to attach to.
        _ => Ok(None),
    };
    let text = match attached {
        Ok(attached) => {
            *terminal = attached;
            DONE.to_vec()
        }
        Err(error) => telling::line(&error).into_bytes(),
    };
    // A worker that is gone shows elsewhere.
    let _ = passing::send(socket, &text, None);
    true
}

/// Kills and reaps everything that the worker's death left to this process.
fn end_children() {
    loop {
        for child in children().unwrap_or_default() {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        // Each death may leave children of its own.
        if waitpid(None, None).is_err() {
            return;
        }
    }
}

/// Removes a run's container, and then what was made for it: what was lent goes back when nobody uses it any more.
fn remove_run(store: &Store, run: &str, id: &str) -> Result<()> {
    remove_everything(store, id)?;
    store.end_run(run, id)
}

/// As many others as a run looks at for having ended halfway: what it takes to run doesn't grow with how many do.
const LOOKED_AT: usize = 4;

/// As [`sweep`], of some runs where there are many: others sweep the others.
pub(super) fn sweep_some(store: &Store) {
    sweep_those(store, &some_of(store.noted_runs(), std::process::id()));
}

/// [`LOOKED_AT`] of them at the most, from the one whose place `first` is.
fn some_of(mut runs: Vec<String>, first: u32) -> Vec<String> {
    if runs.len() > LOOKED_AT {
        let first = first as usize % runs.len();
        runs.rotate_left(first);
        runs.truncate(LOOKED_AT);
    }
    runs
}

/// Removes the containers and scratch directories of runs that are gone with their guardians. Containers that nobody
/// held in the foreground aren't looked into, however many there are.
///
/// What can't be removed now is left for the next sweep; the caller's own work must not fail for it.
pub fn sweep(store: &Store) {
    sweep_those(store, &store.noted_runs());
}

/// Ends that runs are noted which held the container `id`, where all of them and it are gone: such a run was killed in its last
/// step.
///
/// # Errors
/// Where a note can't be removed.
pub(super) fn sweep_notes_of(store: &Store, id: &str) -> Result<()> {
    let is_its = |run: &String| store.noted_run(run).is_some_and(|noted| noted == id);
    let noted = store.noted_runs();
    let mut its = noted.iter().filter(|run| is_over(run) && is_its(run));
    its.try_for_each(|run| store.end_killed_run(run, id))
}

fn is_over(run: &str) -> bool {
    made_up_by(run).is_some_and(|run| !is_alive(run))
}

fn sweep_those(store: &Store, runs: &[String]) {
    for run in runs.iter().filter(|run| is_over(run)) {
        if let Some(id) = store.noted_run(run) {
            let _ = sweep_held(store, &id, run).and_then(|()| store.end_killed_run(run, &id));
        }
    }
}

/// Removes the container `id`, if it is there as `run` left it: not one that was kept, nor another of this name. One
/// that has no state yet, and nobody's hand on it, is this run's.
fn sweep_held(store: &Store, id: &str, run: &str) -> Result<()> {
    let holder = match store.open_unless_locked(id) {
        Some(container) => container.snapshot.supervisor,
        None if store.is_half_made(id) => made_up_by(run),
        None => made_up_by(id),
    };
    match holder {
        Some(holder) if made_up_by(run) == Some(holder) => remove_everything(store, id),
        _ => Ok(()),
    }
}

/// An id for a run that names none: unique on this host, and it says whose it is.
pub(super) fn made_up_id(worker: ProcessId) -> String {
    let ProcessId {
        pid,
        start_time,
        namespace,
    } = worker;
    format!("run-{pid}-{start_time}-{namespace}")
}

fn made_up_by(id: &str) -> Option<ProcessId> {
    let mut numbers = id.strip_prefix("run-")?.split('-');
    let run = ProcessId {
        pid: numbers.next()?.parse().ok()?,
        start_time: numbers.next()?.parse().ok()?,
        namespace: numbers.next()?.parse().ok()?,
    };
    numbers.next().is_none().then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_runs_some_are_looked_at_and_each_by_somebody() {
        let names = |count: usize| (0..count).map(|run| run.to_string()).collect::<Vec<_>>();
        assert_eq!(some_of(names(LOOKED_AT), 7), names(LOOKED_AT));
        let many = names(1000);
        let mut seen: Vec<String> = vec![];
        for first in (4000..5000).step_by(LOOKED_AT) {
            let some = some_of(many.clone(), first);
            assert_eq!(some.len(), LOOKED_AT);
            seen.extend(some);
        }
        seen.sort_by_key(|run| run.parse::<usize>().unwrap());
        seen.dedup();
        assert_eq!(seen, many);
    }

    #[test]
    fn what_a_run_left_in_its_last_step_goes_with_what_it_held() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::at(Some(place.path().into()));
        let us = ProcessId::current().unwrap();
        let ended = |pid| {
            made_up_id(ProcessId {
                pid,
                start_time: 0,
                ..us
            })
        };
        for (run, id) in [(ended(1), "web"), (ended(2), "db"), (made_up_id(us), "web")] {
            store.note_run(&run, id).unwrap();
        }
        remove_everything(&store, "web").unwrap();
        let mut left = store.noted_runs();
        left.sort();
        let mut others = [ended(2), made_up_id(us)];
        others.sort();
        assert_eq!(left, others);
    }

    #[test]
    fn a_made_up_id_names_its_run() {
        let us = ProcessId::current().unwrap();
        assert_eq!(made_up_by(&made_up_id(us)), Some(us));
        for other in [
            "web",
            "run-",
            "run-1",
            "run-x-2-3",
            "run-1-2",
            "run-1-2-3-4",
        ] {
            assert_eq!(made_up_by(other), None, "{other}");
        }
    }
}
