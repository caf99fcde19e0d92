//! Making and revoking API keys with the master key, as the Functions API has it.

use std::num::NonZeroU64;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Server;
use super::auth::Authenticated;
use super::describe::blocking;
use super::error::Failure;
use super::functions_api::function_name;
use crate::server::functions::Name;
use crate::server::keys::{KeyLimits, NewKey, User};

/// A key to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    name: Name,
    user: Option<User>,
    max_memory: Option<NonZeroU64>,
    max_time: Option<NonZeroU64>,
    max_parallel_jobs: Option<NonZeroU64>,
}

/// `POST /{author}/{function}/api_keys`
pub async fn add(
    State(app): Server,
    caller: Authenticated,
    Path((author, function)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    caller.is_master()?;
    let function = function_name(&app.live.now(), &caller, &author, &function)?;
    let limits = KeyLimits {
        max_memory: wanted.max_memory,
        max_time: wanted.max_time,
        max_parallel_jobs: wanted.max_parallel_jobs,
    };
    let made = blocking(move || {
        let secret = app.keys.add(NewKey {
            name: wanted.name.clone(),
            user: wanted.user.clone(),
            function: Some(function.clone()),
            commands: false,
            metrics: false,
            limits,
        })?;
        tracing::info!(key = %wanted.name, %function, "key made");
        Ok(json!({
            "name": wanted.name,
            "user": wanted.user,
            "function": function,
            "key": secret,
            "max_memory": limits.max_memory,
            "max_time": limits.max_time,
            "max_parallel_jobs": limits.max_parallel_jobs,
        }))
    })
    .await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// `DELETE /{author}/{function}/api_keys/{name}`
pub async fn revoke(
    State(app): Server,
    caller: Authenticated,
    Path((author, function, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, Failure> {
    caller.is_master()?;
    let function = function_name(&app.live.now(), &caller, &author, &function)?;
    let done = blocking(move || {
        app.keys.revoke(&name, Some(function.as_str()))?;
        tracing::info!(key = %name, %function, "key revoked");
        Ok(json!({ "name": name, "revoked": true }))
    })
    .await?;
    Ok(Json(done))
}
