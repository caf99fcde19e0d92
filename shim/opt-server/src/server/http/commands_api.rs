//! Command lines on a project of the caller's, for whoever has no Functions client.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Server;
use super::auth::Authenticated;
use super::body::{self, Allowance};
use super::describe::{self, blocking};
use super::error::Failure;
use super::events;
use super::functions_api::{limits, new_execution};
use crate::server::App;
use crate::server::archive::{self, ArchiveError, Bounds, Manifest};
use crate::server::execution::{Execution, Place, Work};
use crate::server::keys::{Caller, Key};
use crate::server::live::Configuration;
use crate::server::{project, retention, sandbox_info};

/// More arguments than anybody types.
const MOST_ARGUMENTS: usize = 1000;

/// `GET /v1/commands`
pub async fn list(State(app): Server, caller: Authenticated) -> Result<Json<Value>, Failure> {
    may_command(&caller)?;
    let live = app.live.now();
    let commands: Vec<&str> = live
        .config
        .commands
        .iter()
        .map(|command| &*command.name)
        .collect();
    Ok(Json(
        json!({ "server": live.config.server_name, "commands": commands }),
    ))
}

/// `GET /v1/commands/{command}/sandbox`
pub async fn sandbox(
    State(app): Server,
    caller: Authenticated,
    Path(name): Path<String>,
) -> Result<Json<Value>, Failure> {
    may_command(&caller)?;
    let explained = blocking(move || {
        let live = app.live.now();
        let command = command(&live, &name)?;
        // Any directory does for a project: which one it is isn't told.
        let mut explained = sandbox_info::explained(&live, command, &app.state.executions())?;
        for mount in &mut explained.mounts {
            if mount.path == bundles::opt_server::PROJECT {
                "the execution's project directory".clone_into(&mut mount.what);
                "the project directory".clone_into(&mut mount.why);
                mount.source = None;
            }
        }
        serde_json::to_value(&explained).map_err(|error| Failure::ours(&error))
    })
    .await?;
    Ok(Json(explained))
}

/// Refuses keys that call functions only.
fn may_command(caller: &Authenticated) -> Result<(), Failure> {
    match &caller.caller {
        Caller::Master => Ok(()),
        Caller::Key(key) if key.commands => Ok(()),
        Caller::Key(_) => Err(Failure::forbidden(
            "this key calls functions only; hint: opt-server keys add NAME --commands",
        )),
    }
}

fn command<'a>(
    live: &'a Configuration,
    name: &str,
) -> Result<&'a bundles::opt_server::config::Command, Failure> {
    live.config
        .commands
        .iter()
        .find(|command| command.name == name)
        .ok_or_else(|| Failure::unknown(format!("there is no command {name:?}")))
}

/// `POST /v1/commands/{command}?arg=…&arg=…`, with a project archive as its body. The answer is a stream of
/// events, or, where the caller accepts JSON only, the execution, to be polled.
pub async fn run(
    State(app): Server,
    caller: Authenticated,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    may_command(&caller)?;
    let key = caller.key()?.clone();
    let live = app.live.now();
    command(&live, &name)?;
    let arguments = arguments(query.as_deref().unwrap_or_default())?;
    describe::takes_new(&app)?;
    let most = live.settings.max_upload();
    if body::content_length(&headers).is_some_and(|length| length > most) {
        return Err(body::too_large(most));
    }
    app.registry.may_run(&key.id, &live.settings)?;
    let execution = create(&app, &live, &key, Work::Command { name, arguments }, body).await?;
    let id = execution.id.clone();
    let begun = app.clone();
    blocking(move || {
        let settings = &begun.live.now().settings;
        begun.registry.enqueue(&id, settings).map_err(|refusal| {
            // Nobody knows of it.
            retention::remove(&begun, &id);
            refusal.into()
        })
    })
    .await?;
    let execution = app.registry.get(&execution.id).unwrap_or(execution);
    if wants_json(&headers) {
        let told = Json(describe::execution(&app, &execution));
        return Ok((StatusCode::ACCEPTED, told).into_response());
    }
    Ok(events::stream(app, execution, events::Place::default()))
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.trim() == "application/json")
}

/// The values of `arg` in a query, in order. Anything else in it is a mistake.
fn arguments(query: &str) -> Result<Vec<String>, Failure> {
    let mut arguments = vec![];
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if name != "arg" {
            return Err(Failure::bad(format!(
                "unknown parameter {name:?}; the arguments are arg=…&arg=…"
            )));
        }
        let value = decode(value)
            .filter(|value| !value.contains('\0'))
            .ok_or_else(|| Failure::bad(format!("not a text: {value:?}")))?;
        arguments.push(value);
    }
    if arguments.len() > MOST_ARGUMENTS {
        return Err(Failure::bad(format!(
            "more than {MOST_ARGUMENTS} arguments"
        )));
    }
    Ok(arguments)
}

/// Undoes the encoding of a form's value.
fn decode(text: &str) -> Option<String> {
    let mut bytes = vec![];
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = [rest.next()?, rest.next()?];
                if !pair.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

async fn create(
    app: &Arc<App>,
    live: &Arc<Configuration>,
    key: &Key,
    work: Work,
    body: Body,
) -> Result<Execution, Failure> {
    let execution = new_execution(key, work, limits(live, key))?;
    let place = app.place(&execution.id);
    let abandoned = {
        let place = place.clone();
        blocking(move || {
            project::make(&place)?;
            Ok(Abandoned(Some(place.directory().to_owned())))
        })
        .await?
    };
    let settings = &live.settings;
    let allowance = Allowance {
        size: settings.max_upload(),
        time: settings.body(),
        idle: settings.idle(),
    };
    body::receive(body, &place.upload(), allowance).await?;
    let bounds = Bounds {
        size: settings.max_upload(),
        entries: settings.max_archive_files,
    };
    let (app, live) = (app.clone(), live.clone());
    blocking(move || {
        let added = unpacked(&place, bounds)
            .and_then(|()| Ok(app.registry.add(execution.clone(), &live.settings)?));
        match added {
            Ok(()) => abandoned.keep(),
            Err(_) => abandoned.remove(),
        }
        added.map(|()| execution)
    })
    .await
}

/// Makes the project of the archive that was uploaded.
fn unpacked(place: &Place, bounds: Bounds) -> Result<(), Failure> {
    let archive = std::fs::File::open(place.upload())?;
    archive::unpack(archive, &place.project(), bounds).map_err(refused)?;
    std::fs::remove_file(place.upload())?;
    Manifest::of(&place.project())?.save(&place.manifest())?;
    Ok(())
}

fn refused(error: ArchiveError) -> Failure {
    match error {
        ArchiveError::Io(_) => Failure::ours(&error),
        ArchiveError::TooMuch(_) => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        other => Failure::bad(other.to_string()),
    }
}

/// A directory that goes away again if its request does, wherever that stops.
struct Abandoned(Option<std::path::PathBuf>);

impl Abandoned {
    fn keep(mut self) {
        self.0 = None;
    }

    /// Removes it now. Blocks.
    fn remove(mut self) {
        if let Some(path) = self.0.take() {
            remove(&path);
        }
    }
}

impl Drop for Abandoned {
    /// On one of the threads that answer everybody, which don't wait for a disk.
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            tokio::task::spawn_blocking(move || remove(&path));
        }
    }
}

fn remove(directory: &std::path::Path) {
    // The next start removes what can't be removed now.
    let _ = std::fs::remove_dir_all(directory);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_the_values_of_arg_in_order() {
        let found = arguments("arg=-m&arg=a+b%20c.mod&arg=&arg=%C3%A4").unwrap();
        assert_eq!(found, ["-m", "a b c.mod", "", "ä"]);
        assert!(arguments("").unwrap().is_empty());
        for wrong in [
            "args=x", "arg=%0", "arg=%zz", "arg=%ff", "arg=%00", "arg=%+1",
        ] {
            assert!(arguments(wrong).is_err(), "{wrong}");
        }
    }
}
