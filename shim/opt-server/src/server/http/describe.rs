//! Functions and executions as JSON.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::error::Failure;
use crate::server::App;
use crate::server::execution::{Execution, Work};
use crate::server::functions::{Function, Name};
use crate::server::watch::report;

/// What callers are told of a report. The rest (a function's arguments, paths that the host has and the
/// sandbox hasn't) is the host's affair, and in the log.
const TOLD: [&str; 16] = [
    "version",
    "started",
    "ended",
    "wall_seconds",
    "user_seconds",
    "system_seconds",
    "peak_memory_bytes",
    "exit_code",
    "signal",
    "status",
    "limit",
    "limits",
    "output_bytes",
    "output_truncated",
    "denied_calls",
    "from_pool",
];

/// A function as its callers may know it; how it is computed is the host's affair.
pub fn function(author: &Name, name: &Name, function: &Function) -> Value {
    let input: Vec<Value> = function
        .inputs
        .iter()
        .map(|input| {
            json!({
                "id": input.id,
                "path": input.path,
                "required": input.required,
                "max_bytes": input.max_bytes,
            })
        })
        .collect();
    json!({
        "id": name,
        "author": author,
        "description": function.description,
        "input": input,
        "output": function.outputs,
        "limits": { "max_memory": function.limits.max_memory, "max_time": function.limits.max_time },
    })
}

/// An execution without what it printed.
pub fn execution(app: &App, execution: &Execution) -> Value {
    let mut told = json!({
        "id": execution.id,
        "status": execution.state.as_status(),
        "state": execution.state.as_str(),
        "created": time(execution.created),
        "started": execution.started.map(time),
        "ended": execution.ended.map(time),
        "key": execution.owner_name,
        "limits": {
            "max_memory": execution.limits.max_memory,
            "max_time": execution.limits.max_time,
        },
    });
    let Some(object) = told.as_object_mut() else {
        return told;
    };
    match &execution.work {
        Work::Function { name, .. } => {
            object.insert("function".to_owned(), json!(name));
            object.insert("input".to_owned(), json!(execution.inputs));
        }
        Work::Command { name, arguments } => {
            object.insert("command".to_owned(), json!(name));
            object.insert("arguments".to_owned(), json!(arguments));
        }
    }
    waiting(app, execution, object);
    if execution.state.is_final() {
        ended(app, execution, object);
    }
    told
}

/// Where an execution stands in the queue, and which limit it waits for, if it does.
pub fn waiting(app: &App, execution: &Execution, object: &mut Map<String, Value>) {
    if let Some(position) = app.registry.position(execution) {
        object.insert("position".to_owned(), json!(position));
        let parallel = &app.live.now().parallel;
        let reached = app.registry.waits_for(execution, parallel, &app.keys);
        object.insert("waits_for".to_owned(), json!(reached));
    }
}

fn ended(app: &App, execution: &Execution, object: &mut Map<String, Value>) {
    object.insert("output".to_owned(), json!(execution.outputs));
    object.insert("exit_code".to_owned(), json!(execution.exit_code));
    object.insert("message".to_owned(), json!(execution.message));
    if let Some(Value::Object(mut report)) = report(&app.place(&execution.id)) {
        report.retain(|key, _| TOLD.contains(&key.as_str()));
        object.insert("report".to_owned(), Value::Object(report));
    }
}

/// RFC 3339, of milliseconds since 1970.
fn time(milliseconds: u64) -> String {
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    chrono::DateTime::from_timestamp_millis(milliseconds)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Refuses what is new where the server is about to end or its disk is nearly full.
pub fn takes_new(app: &App) -> Result<(), Failure> {
    if app.is_draining.load(Ordering::SeqCst) {
        return Err(Failure::unavailable(
            "the server is about to end; try again later",
        ));
    }
    let wanted = app.live.now().settings.min_free_mb.saturating_mul(1 << 20);
    let free = app.state.free()?;
    if free < wanted {
        tracing::warn!(free, wanted, "nearly no space left: nothing new is taken");
        return Err(Failure::unavailable(
            "the server has no space left; try again later",
        ));
    }
    Ok(())
}

/// What a blocking piece of work came to.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "request failed");
        Err(Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed; its log says why",
        ))
    })
}
