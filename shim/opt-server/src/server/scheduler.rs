//! Starting what waits, as soon as there is room for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::App;
use super::execution::{Execution, State};
use super::launch::{Launch, launch};
use super::watch::{NOT_STARTED, stop, watch};
use super::{pool, project, sandbox_info};

/// Starts executions as their turns come, for as long as the server runs.
pub async fn run(app: Arc<App>) {
    loop {
        while !app.is_draining.load(Ordering::SeqCst) {
            let next = {
                let app = app.clone();
                tokio::task::spawn_blocking(move || {
                    let live = app.live.now();
                    app.registry.next(&live.parallel, &app.keys, &app.boot)
                })
                .await
            };
            let Ok(Some(execution)) = next else {
                break;
            };
            begin(&app, execution).await;
        }
        app.registry.work.notified().await;
    }
}

/// Starts one. What keeps it from starting is its end.
async fn begin(app: &Arc<App>, execution: Execution) {
    let started = {
        let (app, execution) = (app.clone(), execution.clone());
        tokio::task::spawn_blocking(move || prepare_and_launch(&app, &execution)).await
    };
    let failure = match started {
        Ok(Ok(((child, process), from_pool))) => {
            tracing::info!(
                execution = %execution.id,
                pid = process.pid,
                key = %execution.owner_name,
                work = %execution.work.title(),
                from_pool,
                "execution started"
            );
            tokio::spawn(watch(app.clone(), execution, process, Some(child)));
            return;
        }
        Ok(Err(error)) => error,
        // The server ends; the next one finds the execution again.
        Err(_) => return,
    };
    tracing::error!(execution = %execution.id, error = %failure, "execution not started");
    let app = app.clone();
    let ended = tokio::task::spawn_blocking(move || {
        app.registry.ended(&execution.id, |execution| {
            execution.state = State::Ended;
            execution.message = Some(NOT_STARTED.to_owned());
        });
        app.metrics.ended(State::Ended);
    });
    // It fails only where the server ends.
    let _ = ended.await;
}

/// Its process, and whether that is one of a sandbox that was ready.
type Started = ((std::process::Child, runtime::container::ProcessId), bool);

fn prepare_and_launch(app: &Arc<App>, execution: &Execution) -> std::io::Result<Started> {
    let live = app.live.now();
    let place = app.place(&execution.id);
    project::give_to(&place, live.settings.service_uid)?;
    if app.tells_sandbox_info {
        sandbox_info::tell(&live, execution, &place);
    }
    let wanted = Launch {
        execution,
        place: &place,
        config: &live.copy,
        root: app.root.as_deref(),
        user_group: live
            .config
            .user_group(execution.user())
            .map(|group| &*group.name),
        settings: &live.settings,
    };
    let started = match pool::hand_over(app, &live, &wanted) {
        Some(taken) => (taken, true),
        None => (launch(&wanted)?, false),
    };
    let ((_, process), _) = &started;
    let process = *process;
    if app.registry.began(&execution.id, process) {
        stop(app, process);
    }
    Ok(started)
}
