//! Two processes for a foreground `run`, so that one is left to clean up whichever is killed.
//!
//! The process that was called becomes the *guardian* and the work goes on in its child, the *worker*.
//! If the worker is killed, the guardian inherits all that the worker had begun, down to libcontainer's
//! half-done children, ends it and removes the container. If the guardian is killed, the worker sees it
//! and ends its container itself. If both are killed at once, the next run sweeps, or one of the next where there are
//! many at once.

pub(crate) mod early;
mod guard;
mod hold;
mod sweep;

use std::os::fd::OwnedFd;
use std::process::exit;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid, setpgid};

pub(super) use hold::Guardian;
pub use sweep::sweep;
pub(super) use sweep::{made_up_id, sweep_notes_of, sweep_some};

use super::delete::remove_everything;
use super::process::{ProcessId, children};
use super::store::Store;
use super::supervise::Signals;
use super::{Error, Result};
use crate::passing;
use crate::sys::fork;
use crate::telling;
use guard::{Ended, guard};

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
    if let Some(guardian) = early::take()? {
        become_worker()?;
        return Ok(guardian);
    }
    let called = getpid();
    adopt("adopt what a killed run leaves")?;
    let (own_socket, socket) =
        passing::pair().map_err(Error::step("make a socket for the worker"))?;
    let Some(worker) = fork().map_err(Error::step("fork the worker"))? else {
        become_worker()?;
        return Ok(Guardian::new(called, socket));
    };
    drop(socket);
    exit(stand_by(
        worker,
        signals,
        &own_socket,
        || Some(store.clone()),
        |run| when_killed(id.unwrap_or(run)),
    ))
}

fn become_worker() -> Result<()> {
    // Out of the terminal's reach: the guardian passes on what comes from there, once.
    setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(Error::step("leave the group"))?;
    // What the command leaves running is this process's to end: see `leftovers`.
    adopt("adopt what the command leaves")?;
    telling::follow_this_process();
    Ok(())
}

fn adopt(what: &'static str) -> Result<()> {
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).map_err(Error::step(what))
}

/// The guardian's life: gives the code to exit with. Where the worker was killed, `store` tells where it noted what it made, if it
/// makes anything, and `when_killed` is called with the run's name.
fn stand_by(
    worker: Pid,
    signals: &mut Signals,
    socket: &OwnedFd,
    store: impl FnOnce() -> Option<Store>,
    when_killed: impl FnOnce(&str),
) -> i32 {
    match guard(worker, signals, socket) {
        Ended::Exited {
            code,
            was_interrupted,
        } => {
            if was_interrupted && code == 128 + Signal::SIGINT as i32 {
                end_by_interrupt();
            }
            code
        }
        Ended::Killed(signal) => {
            // It hasn't been waited for yet, and so is still to be seen.
            let run = ProcessId::of(worker.as_raw()).ok().map(made_up_id);
            if let (Some(store), Some(run)) = (store(), run) {
                clean_up(&store, &run);
                when_killed(&run);
            }
            let _ = waitpid(worker, None);
            128 + signal
        }
    }
}

/// Ends and removes what the killed `run` had begun. What it hasn't noted it hasn't begun, and a container of the name that its
/// caller gave is another's then.
fn clean_up(store: &Store, run: &str) {
    // There is nobody left to tell but the next run, which sweeps.
    let _ = match store.noted_run(run) {
        Some(id) => {
            end_children();
            remove_run(store, run, &id)
        }
        None => store.forget_run(run),
    };
}

/// Ends this process as the command was ended: a shell that runs a script goes on to the next line otherwise, as if
/// the command had done with the key what it wanted.
fn end_by_interrupt() {
    let mut interrupts = SigSet::empty();
    interrupts.add(Signal::SIGINT);
    let _ = kill(Pid::this(), Signal::SIGINT);
    let _ = interrupts.thread_unblock();
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
