//! Waiting for the end of an execution's process, a child of this server or of one before it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use runtime::container::{ProcessId, open_process};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};
use serde_json::Value;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::App;
use super::execution::{Execution, Place, State, Work};
use super::{project, retention};

/// What callers are told where a command could not be started: what it says of the host is for its
/// administrator.
pub const NOT_STARTED: &str = "the command could not be started; the server's log says why";

/// How an execution's process ended, as far as is known.
#[derive(Debug, Clone, Copy)]
enum End {
    Exited(i32),
    Signalled(i32),
    /// It was no child of this server, and left no report.
    Unknown,
}

/// How often it is asked for a process that can't be waited for.
const EVERY: Duration = Duration::from_millis(200);

/// Watches the process of an execution to its end, and records that. Belongs in a task of its own.
pub async fn watch(app: Arc<App>, execution: Execution, process: ProcessId, child: Option<Child>) {
    wait_for(process).await;
    let end = match child {
        Some(child) => reap(child).await,
        None => End::Unknown,
    };
    let done = tokio::task::spawn_blocking({
        let app = app.clone();
        move || finish(&app, &execution, end)
    });
    // It fails only where the server ends; the next one finds the execution again.
    let _ = done.await;
}

/// Waits until a process is gone, or a zombie.
pub async fn wait_for(process: ProcessId) {
    while let Some(descriptor) = opened(process).await {
        // Deprecated for types whose descriptor may become another one; that of an `OwnedFd` doesn't.
        #[allow(deprecated, reason = "its replacement is unsafe")]
        let readable = AsyncFd::with_interest(descriptor, Interest::READABLE);
        match readable {
            Ok(descriptor) if descriptor.readable().await.is_ok() => return,
            // Out of memory, most likely: asking now and then does as well.
            Ok(_) | Err(_) => tokio::time::sleep(EVERY).await,
        }
    }
}

/// A descriptor of a process, as soon as there is one to be had; none if it is gone.
async fn opened(process: ProcessId) -> Option<OwnedFd> {
    loop {
        match open_process(process) {
            Ok(descriptor) => return Some(descriptor),
            Err(error) if is_gone(&error) => return None,
            // Out of descriptors, most likely: that isn't its end.
            Err(_) => tokio::time::sleep(EVERY).await,
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

/// The end of a child, which it is waited for so that no thread is held up.
async fn reap(mut child: Child) -> End {
    use std::os::unix::process::ExitStatusExt;

    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                return match (status.code(), status.signal()) {
                    (Some(code), _) => End::Exited(code),
                    (None, Some(signal)) => End::Signalled(signal),
                    (None, None) => End::Unknown,
                };
            }
            Ok(None) => tokio::time::sleep(EVERY).await,
            Err(_) => return End::Unknown,
        }
    }
}

/// Records the end of an execution that ended while no server watched it. Blocks.
pub fn finish_unwatched(app: &App, execution: &Execution) {
    finish(app, execution, End::Unknown);
}

/// Records an end. Blocks: it looks for the outputs.
fn finish(app: &App, execution: &Execution, end: End) {
    let place = app.place(&execution.id);
    let report = report(&place);
    let outputs = match &execution.work {
        Work::Function { definition, .. } => project::made(&place, &definition.outputs),
        Work::Command { .. } => vec![],
    };
    let mut state = State::Ended;
    app.registry.ended(&execution.id, |execution| {
        conclude(execution, end, report.as_ref());
        execution.outputs = outputs;
        state = execution.state;
    });
    app.metrics.ended(state);
    app.pool.wake();
    tracing::info!(
        execution = %execution.id,
        state = state.as_str(),
        end = ?end,
        "execution ended"
    );
    let is_forgotten = app.registry.get(&execution.id).is_none();
    if is_forgotten {
        retention::remove(app, &execution.id);
    }
}

/// What follows from an end and a report.
fn conclude(execution: &mut Execution, end: End, report: Option<&Value>) {
    let told = |key: &str| report.and_then(|report| report.get(key));
    let number = |key| told(key).and_then(Value::as_i64);
    execution.exit_code = match end {
        // Where there is a report, `opt-server run` ended with the command's code or 128 and its signal.
        End::Exited(code) if report.is_none() => Some(code),
        _ => number("exit_code").and_then(|code| i32::try_from(code).ok()),
    };
    let message = told("message").and_then(Value::as_str);
    execution.message = match told("status").and_then(Value::as_str) {
        Some("not-started") => {
            tracing::warn!(execution = %execution.id, message, "command not started");
            Some(NOT_STARTED.to_owned())
        }
        _ => message.map(str::to_owned),
    };
    let is_known = report.is_some() || matches!(end, End::Exited(_));
    // It was ended from outside in a way that its other process saw.
    let was_stopped = told("status").and_then(Value::as_str) == Some("stopped");
    execution.state = match (execution.is_stopping || was_stopped, is_known) {
        (true, _) => State::Stopped,
        (false, true) => State::Ended,
        (false, false) => State::Lost,
    };
    if execution.state == State::Lost && execution.message.is_none() {
        execution.message = Some(match end {
            End::Signalled(signal) => {
                format!("its process was ended from outside by signal {signal}")
            }
            _ => "its process ended while no server watched it, and left no report".to_owned(),
        });
    }
}

/// The report that `opt-server run` wrote, if it did.
pub fn report(place: &Place) -> Option<Value> {
    let text = fs::read(place.report()).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Has the process of an execution end: asks it to, and ends it by force after the grace. Comes back at once.
pub fn stop(app: &App, process: ProcessId) {
    tokio::spawn(end(process, app.live.now().settings.grace()));
}

async fn end(process: ProcessId, grace: Duration) {
    if !signal(process, Signal::TERM).await {
        return;
    }
    tokio::time::sleep(grace).await;
    // What it leaves is cleaned up by its own second process.
    signal(process, Signal::KILL).await;
}

/// Sends a process a signal; false if it is gone.
async fn signal(process: ProcessId, signal: Signal) -> bool {
    let Some(descriptor) = opened(process).await else {
        return false;
    };
    pidfd_send_signal(descriptor, signal).is_ok()
}
