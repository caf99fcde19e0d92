//! Whether the server lives, whether it takes work, and its counters.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bundles::opt_server::config::UserGroup;
use serde_json::{Value, json};

use super::auth::Authenticated;
use super::describe;
use super::error::Failure;
use crate::server::App;

/// `GET /healthz`: answers as long as the process does.
pub async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`: whether something new would be taken.
pub async fn readyz(State(app): State<Arc<App>>) -> Result<Json<Value>, Failure> {
    describe::takes_new(&app)?;
    let (queued, running) = app.registry.load();
    Ok(Json(
        json!({ "status": "ready", "queued": queued, "running": running }),
    ))
}

/// `GET /metrics`, for a key that reads metrics or the master key.
pub async fn metrics(
    State(app): State<Arc<App>>,
    caller: Authenticated,
) -> Result<Response, Failure> {
    if !caller.reads_metrics() {
        return Err(Failure::forbidden("this needs a key that reads metrics"));
    }
    let ready = i64::try_from(app.pool.ready()).unwrap_or(i64::MAX);
    app.metrics.pool_ready.set(ready);
    let live = app.live.now();
    let jobs = app.registry.running();
    let of = |group: &UserGroup| {
        jobs.iter()
            .filter(|job| group.users.contains(&job.user))
            .count()
    };
    let groups = live.config.extensions.user_groups.iter();
    let running: Vec<(&str, usize)> = groups.map(|group| (&*group.name, of(group))).collect();
    let text = app
        .metrics
        .text(app.registry.load(), &running, app.state.free()?);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
