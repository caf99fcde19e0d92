//! Keeping the pool full, when there is nothing better to do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::App;
use super::super::live::Configuration;
use super::super::watch::wait_for;
use super::bound::most;
use super::stand_by::StandBy;

/// How often to look whether there is time to make one. While none is lacking, nobody looks.
const INTERVAL: Duration = Duration::from_millis(100);

/// How long after one is gone for no reason of ours the next one is made.
const AFTER_LOSS: Duration = Duration::from_secs(1);

/// Makes sandboxes that are lacking, one at a time, while no execution waits and another one could run; lets those go
/// whose configuration doesn't hold any more. For as long as the server runs.
pub async fn keep(app: Arc<App>) {
    let mut told: Option<Arc<Configuration>> = None;
    while !app.is_draining.load(Ordering::SeqCst) {
        let now = app.live.now();
        if !told.is_some_and(|told| Arc::ptr_eq(&told, &now)) {
            tell_what_keeps_it_empty(&now);
        }
        told = Some(Arc::clone(&now));
        for old in app.pool.take_old(&now) {
            tokio::spawn(old.discard());
        }
        match app.pool.lacking(&now) {
            None => app.pool.work.notified().await,
            Some(_) if is_busy(&app, &now) => {
                let woken = app.pool.work.notified();
                let _ = tokio::time::timeout(INTERVAL, woken).await;
            }
            Some(command) => make(&app, now, command).await,
        }
    }
}

fn is_busy(app: &App, now: &Configuration) -> bool {
    let (queued, running) = app.registry.load();
    queued > 0 || running >= now.settings.max_running
}

async fn make(app: &Arc<App>, now: Arc<Configuration>, command: String) {
    let made = tokio::task::spawn_blocking({
        let (root, command) = (app.root.clone(), command.clone());
        move || StandBy::make(&command, &now, root.as_deref())
    });
    let failure = match made.await {
        Ok(Ok(stand_by)) => return put(app, stand_by),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(
        command,
        error = %failure,
        "no sandbox can be made ready; one is tried again in a minute, or with another configuration"
    );
    app.pool.lock().failed.insert(command, Instant::now());
}

fn put(app: &Arc<App>, stand_by: StandBy) {
    let process = stand_by.process;
    if let Err(unwanted) = app.pool.put(stand_by) {
        tokio::spawn(unwanted.discard());
        return;
    }
    tracing::debug!(pid = process.pid, "a sandbox is ready");
    let app = Arc::clone(app);
    tokio::spawn(async move {
        wait_for(process).await;
        // Taken as a rule; else somebody has ended it.
        if let Some(gone) = app.pool.take_process(process.pid) {
            tracing::warn!(
                pid = process.pid,
                command = gone.command,
                "a ready sandbox is gone"
            );
            gone.discard().await;
            // Whatever ends it may end the next one too.
            tokio::time::sleep(AFTER_LOSS).await;
            app.pool.wake();
        }
    });
}

/// An administrator who set `pool` and gets none is told why.
fn tell_what_keeps_it_empty(now: &Configuration) {
    let wanted: u64 = now
        .config
        .commands
        .iter()
        .map(|command| u64::from(command.extensions.pool))
        .sum();
    let most = most(now);
    if wanted > most as u64 {
        tracing::warn!(
            wanted,
            most,
            "fewer sandboxes are kept ready than \"pool\" asks for; hint: \"max-ready\" in server.json, more ids in \
             \"identity\", a server that is root's"
        );
    }
}
