//! Inputs of a function's execution, uploaded one by one before it is started.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use daemon::random_text;
use serde_json::{Value, json};

use super::Server;
use super::auth::Authenticated;
use super::body::{self, Allowance};
use super::describe::{self, blocking};
use super::error::Failure;
use super::functions_api::{FilePath, find};
use crate::server::App;
use crate::server::execution::{Execution, State as Stands, Work};
use crate::server::functions::Input;
use crate::server::project;
use crate::server::registry::Refusal;

/// `POST …/executions/{execution}/input/{input}`
pub async fn upload(
    State(app): Server,
    caller: Authenticated,
    Path((author, function, id, input)): FilePath,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Failure> {
    let execution = find(&app, &caller, (&author, &function, &id))?;
    let input = declared(&execution, &input)?.clone();
    is_open(&execution)?;
    describe::takes_new(&app)?;
    let settings = app.live.now().settings.clone();
    let left = settings
        .max_upload()
        .saturating_sub(others(&execution, &input));
    let most = input.max_bytes.map_or(left, |most| most.get().min(left));
    if body::content_length(&headers).is_some_and(|length| length > most) {
        return Err(body::too_large(most));
    }
    let place = app.place(&id);
    let suffix = random_text(8).map_err(|error| Failure::ours(&error))?;
    let part = place.upload().with_extension(suffix);
    let allowance = Allowance {
        size: most,
        time: settings.body(),
        idle: settings.idle(),
    };
    let received = body::receive(body, &part, allowance).await;
    let done = blocking(move || {
        let result = received.and_then(|length| {
            // What is noted as there is still there after a power cut.
            std::fs::File::open(&part)?.sync_all()?;
            accept_input(&app, &id, &input, length, || {
                project::place_upload(&place, &part, &input.path)
            })?;
            Ok(json!({ "id": input.id, "path": input.path, "bytes": length }))
        });
        // Gone already where all went well.
        let _ = std::fs::remove_file(&part);
        result
    })
    .await?;
    Ok(Json(done))
}

/// What the inputs besides this one hold together, in bytes.
fn others(execution: &Execution, input: &Input) -> u64 {
    let others = execution
        .inputs
        .iter()
        .filter(|(other, _)| other.as_str() != input.id.as_str());
    others.map(|(_, size)| size).sum()
}

/// Notes an input as there, and puts it there, if the execution is still to be started and has room for it:
/// others may have come since this upload began.
fn accept_input(
    app: &App,
    id: &str,
    input: &Input,
    length: u64,
    place: impl FnOnce() -> std::io::Result<()>,
) -> Result<(), Failure> {
    let most = app.live.now().settings.max_upload();
    Ok(app.registry.change(id, |execution| {
        if execution.state != Stands::Created || execution.is_deleted {
            return Err(too_late(execution.state));
        }
        if others(execution, input).saturating_add(length) > most {
            return Err(Refusal::TooLarge(most));
        }
        place()?;
        execution.inputs.insert(input.id.to_string(), length);
        Ok(())
    })?)
}

fn too_late(state: Stands) -> Refusal {
    Refusal::WrongState {
        state,
        wanted: "inputs are uploaded before it is started",
    }
}

fn is_open(execution: &Execution) -> Result<(), Failure> {
    if execution.state == Stands::Created {
        Ok(())
    } else {
        Err(too_late(execution.state).into())
    }
}

fn declared<'a>(execution: &'a Execution, input: &str) -> Result<&'a Input, Failure> {
    let Work::Function { name, definition } = &execution.work else {
        return Err(Failure::unknown("it has no inputs"));
    };
    definition.input(input).ok_or_else(|| {
        let known: Vec<&str> = definition
            .inputs
            .iter()
            .map(|input| input.id.as_str())
            .collect();
        let known = if known.is_empty() {
            "it takes none".to_owned()
        } else {
            format!("it takes {}", known.join(", "))
        };
        Failure::unknown(format!(
            "the function {name} has no input {input:?}; {known}"
        ))
    })
}
