//! Giving an execution to a sandbox that is ready.

use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use runtime::container::ProcessId;

use super::super::App;
use super::super::execution::Work;
use super::super::launch::{Launch, enforced};
use super::super::live::Configuration;
use super::stand_by::StandBy;
use crate::execution::ready::{Asked, Word, hear, say};
use crate::execution::start_once;

/// How long a sandbox may take to say that it takes an execution.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has the execution run in a sandbox that is ready, if there is one: its process then, as if it had been started for
/// it. Blocks until that has taken it.
pub fn hand_over(
    app: &Arc<App>,
    now: &Arc<Configuration>,
    launch: &Launch<'_>,
) -> Option<(Child, ProcessId)> {
    let (command, _) = launch.execution.work.command_line();
    let is_pooled = now
        .config
        .command(command)
        .is_ok_and(|command| command.extensions.pool > 0);
    if !is_pooled {
        return None;
    }
    while let Some(stand_by) = app.pool.take(command, now) {
        app.pool.wake();
        match give(stand_by, launch) {
            Ok(given) => {
                app.metrics.pool_used.inc();
                return Some(given);
            }
            // It ended before it took anything, so nothing of the execution's is anywhere.
            Err(gone) => {
                tracing::warn!(pid = gone.process.pid, "a ready sandbox is gone");
                tokio::runtime::Handle::current().spawn(gone.discard());
            }
        }
    }
    app.metrics.pool_missed.inc();
    None
}

fn give(mut stand_by: StandBy, launch: &Launch<'_>) -> Result<(Child, ProcessId), StandBy> {
    let place = launch.place;
    let execution = launch.execution;
    let (_, arguments) = execution.work.command_line();
    let asked = Asked {
        id: execution.id.clone(),
        begin: start_once::next(place.directory()),
        arguments: arguments.to_vec(),
        project: place.project(),
        stdout: place.stdout(),
        stderr: match execution.work {
            // Callers of a function see one log, in the order in which it was printed.
            Work::Function { .. } => None,
            Work::Command { .. } => Some(place.stderr()),
        },
        report: place.report(),
        limits: enforced(execution.limits, launch.settings),
        user_group: launch.user_group.map(str::to_owned),
    };
    let socket = &stand_by.socket;
    let taken = socket
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| socket.set_write_timeout(Some(PATIENCE)))
        .and_then(|()| say(socket, &asked))
        .and_then(|()| hear::<Word>(socket));
    match taken {
        Ok(Some(Word::Taken)) => Ok((stand_by.child, stand_by.process)),
        _ => {
            // One that is stopped would take it when it goes on, and the execution run twice.
            let _ = stand_by.child.kill();
            Err(stand_by)
        }
    }
}
