//! Removing what nobody wants any more: forgotten executions, and ones that nobody fetched in time.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use runtime::container::{Store, sweep_runs};

use super::App;
use super::execution::{Execution, State, now};
use super::settings::Settings;

/// How often it is looked for them.
const EVERY: Duration = Duration::from_secs(20);

/// Removes them for as long as the server runs.
pub async fn run(app: Arc<App>) {
    loop {
        let swept = tokio::task::spawn_blocking({
            let app = app.clone();
            move || sweep(&app)
        });
        // It fails only where the server ends.
        let _ = swept.await;
        tokio::time::sleep(EVERY).await;
    }
}

fn sweep(app: &App) {
    if let Err(error) = app.registry.store_again() {
        tracing::warn!(error = %runtime::telling::line(&error), "can't store executions");
    }
    // Of runs whose two processes were killed at once.
    sweep_runs(&Store::at(app.root.clone()));
    let settings = &app.live.now().settings;
    for execution in app.registry.all() {
        let is_due = match execution.state {
            // It may have been started since it was looked at.
            State::Created => {
                has_expired(&execution, settings)
                    && app
                        .registry
                        .expire(&execution.id, |execution| has_expired(execution, settings))
            }
            state => execution.is_deleted && state.is_final() || has_expired(&execution, settings),
        };
        if is_due {
            remove(app, &execution.id);
        }
    }
    remove_old_copies(app);
}

/// Removes an execution whose process has ended, with its files.
pub fn remove(app: &App, id: &str) {
    let place = app.place(id);
    let removed = match fs::remove_dir_all(place.directory()) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.to_string()),
        _ => app
            .registry
            .remove(id)
            .map_err(|error| runtime::telling::line(&error)),
    };
    if let Err(error) = removed {
        tracing::warn!(execution = id, %error, "can't remove the execution yet");
    }
}

fn has_expired(execution: &Execution, settings: &Settings) -> bool {
    let age = |since: u64| now().saturating_sub(since) / 60_000;
    match (execution.state, execution.ended) {
        (State::Created, _) => age(execution.created) >= settings.keep_created_minutes,
        (state, Some(ended)) if state.is_final() => age(ended) >= settings.keep_ended_minutes,
        _ => false,
    }
}

/// Copies of configurations that neither hold nor are used by what runs; which those are isn't noted, so they
/// stay until nothing runs.
fn remove_old_copies(app: &App) {
    let (_, running) = app.registry.load();
    if running > 0 {
        return;
    }
    let current = app.live.now().copy.clone();
    let entries = fs::read_dir(app.state.configs()).into_iter().flatten();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path != current {
            // The next sweep tries again.
            let _ = fs::remove_file(path);
        }
    }
}
