//! What a server before this one left: executions that still run are watched again, others get the end that
//! they had.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

use runtime::container::{ProcessId, is_alive};

use super::App;
use super::execution::{Execution, Place, State};
use super::launch::find;
use super::watch::{report, stop, watch};
use crate::execution::start_once::{self, By};

/// Takes up every execution of the store, in the order in which they came.
pub fn recover(app: &Arc<App>) {
    remove_unknown(app);
    let mut executions = app.registry.all();
    executions.sort_by_key(|execution| (execution.queued, execution.created));
    for execution in executions {
        if !execution.state.is_final() {
            take_up(app, execution);
        }
    }
}

/// What was found out about an execution that was queued or ran.
enum Found {
    Running(ProcessId),
    Ended,
    NeverStarted,
    Nothing,
}

fn take_up(app: &Arc<App>, execution: Execution) {
    if execution.state == State::Created {
        return;
    }
    match look(app, &execution) {
        Found::Running(process) => {
            tracing::info!(execution = %execution.id, pid = process.pid, "execution found again");
            app.registry.took_up(&execution.id, process);
            if execution.is_stopping {
                // The server before this one may not have come to end it by force.
                stop(app, process);
            }
            tokio::spawn(watch(app.clone(), execution, process, None));
        }
        Found::NeverStarted => {
            tracing::info!(execution = %execution.id, "execution waits again");
            app.registry.wait_again(&execution.id);
        }
        Found::Ended | Found::Nothing => {
            app.registry.adopt(&execution);
            super::watch::finish_unwatched(app, &execution);
        }
    }
}

fn look(app: &App, execution: &Execution) -> Found {
    let place = app.place(&execution.id);
    let is_this_boot = execution.boot == app.boot;
    if let Some(process) = execution
        .process
        .filter(|process| is_this_boot && is_alive(*process))
    {
        return Found::Running(process);
    }
    if report(&place).is_some() {
        return Found::Ended;
    }
    if !has_begun(&place) {
        return match execution.state {
            State::Queued => Found::NeverStarted,
            State::Running if place.project().exists() => Found::NeverStarted,
            _ => Found::Nothing,
        };
    }
    // The server before this one may have been killed before it noted the pid, or on a full disk.
    if let Some(process) = find(&place) {
        return Found::Running(process);
    }
    // It may have ended since it was looked for.
    if report(&place).is_some() {
        return Found::Ended;
    }
    Found::Nothing
}

/// Whether a process has begun it. One that the server before this one had only just started never does from here on.
fn has_begun(place: &Place) -> bool {
    let directory = place.directory();
    if start_once::last(directory) == Some(By::Process) {
        return true;
    }
    let is_ours = start_once::take(&start_once::next(directory), By::Server);
    // On a full disk the file for its output, which is made just before its process, has to tell.
    !is_ours.unwrap_or_else(|_| !place.stdout().exists())
}

/// Directories without a record: a server was killed between the two.
fn remove_unknown(app: &App) {
    let known: HashSet<String> = app
        .registry
        .all()
        .into_iter()
        .map(|execution| execution.id)
        .collect();
    let entries = fs::read_dir(app.state.executions()).into_iter().flatten();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_unknown = name.to_str().is_some_and(|name| !known.contains(name));
        if is_unknown && let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "can't remove");
        }
    }
}
