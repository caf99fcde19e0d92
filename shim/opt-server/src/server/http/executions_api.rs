//! A caller's executions, of functions and of command lines: listed, looked at, stopped, deleted, and what
//! they left.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Server;
use super::auth::Authenticated;
use super::describe::{self, blocking};
use super::ending::{delete_execution, stop_execution};
use super::error::Failure;
use super::files::file_answer;
use crate::server::App;
use crate::server::archive::{Manifest, pack};
use crate::server::execution::{Execution, Work};
use crate::server::keys::Caller;
use crate::server::project;

/// The most executions in one list, newest first.
const MOST: usize = 200;

/// `GET /v1/whoami`: what the page shows after signing in.
pub async fn whoami(State(app): Server, caller: Authenticated) -> Result<Json<Value>, Failure> {
    let live = app.live.now();
    let functions: Vec<&str> = live
        .functions
        .keys()
        .map(|name| name.as_str())
        .filter(|name| caller.knows(name))
        .collect();
    let told = match &caller.caller {
        Caller::Master => json!({ "name": "master", "master": true, "commands": true }),
        Caller::Key(key) => {
            let group = live.config.user_group(key.user());
            json!({
                "name": key.name,
                "master": false,
                "commands": key.commands,
                "user": key.user(),
                "user_group": group.map(|group| &*group.name),
                "monitoring_rights": caller.rights.monitoring,
                "admin_rights": caller.rights.admin,
                "limits": group.map_or(key.limits, |group| key.limits.narrowed(&group.limits)),
            })
        }
    };
    let mut told = told;
    if let Some(object) = told.as_object_mut() {
        object.insert("server".to_owned(), json!(live.config.server_name));
        object.insert("author".to_owned(), json!(live.settings.author));
        object.insert("functions".to_owned(), json!(functions));
        object.insert("max_running".to_owned(), json!(live.settings.max_running));
    }
    Ok(Json(told))
}

/// `GET /v1/executions`
pub async fn list(State(app): Server, caller: Authenticated) -> Result<Json<Value>, Failure> {
    let told = blocking(move || {
        let mut own: Vec<Execution> = app
            .registry
            .all()
            .into_iter()
            .filter(|execution| !execution.is_deleted && caller.sees(execution))
            .collect();
        own.sort_by_key(|execution| std::cmp::Reverse(execution.created));
        let all = own.len();
        own.truncate(MOST);
        let told: Vec<Value> = own
            .iter()
            .map(|execution| describe::execution(&app, execution))
            .collect();
        let (queued, running) = app.registry.load();
        Ok(json!({ "executions": told, "total": all, "queued": queued, "running": running }))
    })
    .await?;
    Ok(Json(told))
}

/// `GET /v1/executions/{execution}`
pub async fn show(
    State(app): Server,
    caller: Authenticated,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let execution = caller.execution(&app, &id)?;
    Ok(Json(
        blocking(move || Ok(describe::execution(&app, &execution))).await?,
    ))
}

/// `POST /v1/executions/{execution}/stop`
pub async fn stop(
    State(app): Server,
    caller: Authenticated,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    caller.execution(&app, &id)?;
    stop_execution(app, id).await
}

/// `DELETE /v1/executions/{execution}`
pub async fn delete(
    State(app): Server,
    caller: Authenticated,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    caller.execution(&app, &id)?;
    delete_execution(app, id).await
}

/// `GET /v1/executions/{execution}/output/{stream}`: what was printed so far, byte for byte. `stream` is
/// `stdout` or `stderr`; a function has only the first, with both in it.
pub async fn stream(
    State(app): Server,
    caller: Authenticated,
    Path((id, stream)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let execution = caller.execution(&app, &id)?;
    let place = app.place(&id);
    let path = match (&*stream, &execution.work) {
        ("stdout", _) => place.stdout(),
        ("stderr", Work::Command { .. }) => place.stderr(),
        _ => return Err(Failure::unknown(format!("it has no output {stream:?}"))),
    };
    let (file, length) = match tokio::fs::File::open(path).await {
        Ok(file) => {
            let length = file.metadata().await?.len();
            (file.into_std().await, length)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(([(header::CONTENT_TYPE, "application/octet-stream")], "").into_response());
        }
        Err(error) => return Err(error.into()),
    };
    Ok(file_answer(file, length, "application/octet-stream"))
}

/// `GET /v1/executions/{execution}/files`: the files of the project that the command made or changed, as a
/// gzipped tar archive.
pub async fn files(
    State(app): Server,
    caller: Authenticated,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let execution = caller.execution(&app, &id)?;
    if !matches!(execution.work, Work::Command { .. }) {
        return Err(Failure::unknown("a function's files are its outputs"));
    }
    if !execution.state.is_final() {
        return Err(Failure::new(
            StatusCode::CONFLICT,
            format!(
                "the execution is {}: its files are there when it has ended",
                execution.state.as_str()
            ),
        ));
    }
    let (file, length) = blocking(move || Ok(packed(&app, &id)?)).await?;
    Ok(file_answer(file, length, "application/gzip"))
}

/// The archive as a file without a name, which is gone when it was read.
fn packed(app: &App, id: &str) -> std::io::Result<(std::fs::File, u64)> {
    use std::io::Seek;

    let place = app.place(id);
    let before = Manifest::load(&place.manifest())?;
    let changed = Manifest::of(&place.project())?.changed_since(&before);
    let mut file = unnamed(place.directory())?;
    pack(project::open(&place)?, &changed, &mut file)?;
    let length = file.stream_position()?;
    file.rewind()?;
    Ok((file, length))
}

fn unnamed(directory: &std::path::Path) -> std::io::Result<std::fs::File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};

    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(openat(CWD, directory, flags, Mode::from_raw_mode(0o600))?.into())
}
