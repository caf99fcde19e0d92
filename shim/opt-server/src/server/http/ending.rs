//! Stopping and deleting executions, of functions and of command lines.

use std::sync::Arc;

use axum::Json;
use serde_json::{Value, json};

use super::describe::{self, blocking};
use super::error::Failure;
use crate::server::App;
use crate::server::execution::Execution;
use crate::server::{retention, watch};

/// Stops an execution that the caller was found to own.
pub async fn stop_execution(app: Arc<App>, id: String) -> Result<Json<Value>, Failure> {
    let told = blocking(move || {
        let execution = app.registry.stop(&id)?;
        end_process(&app, &execution);
        Ok(describe::execution(&app, &execution))
    })
    .await?;
    Ok(Json(told))
}

fn end_process(app: &App, execution: &Execution) {
    if let Some(process) = execution.process {
        watch::stop(app, process);
    }
}

/// Forgets an execution that the caller was found to own, and ends it where it runs.
pub async fn delete_execution(app: Arc<App>, id: String) -> Result<Json<Value>, Failure> {
    let told = blocking(move || {
        let execution = app.registry.stop(&id)?;
        app.registry.change(&id, |execution| {
            execution.is_deleted = true;
            Ok(())
        })?;
        end_process(&app, &execution);
        if execution.state.is_final() {
            retention::remove(&app, &id);
        }
        Ok(json!({ "id": id, "status": "terminated" }))
    })
    .await?;
    Ok(Json(told))
}
