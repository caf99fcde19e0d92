//! The Functions API, as the published clients speak it.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use daemon::random_text;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Server;
use super::auth::Authenticated;
use super::describe::{self, blocking};
use super::ending::{delete_execution, stop_execution};
use super::error::Failure;
use super::files::file_answer;
use crate::server::App;
use crate::server::execution::{Execution, Owner, State as Stands, Work};
use crate::server::functions::{Limits, Name};
use crate::server::keys::Key;
use crate::server::live::Configuration;
use crate::server::output_log::{Cursors, PIECE, piece};
use crate::server::project;
use crate::server::registry::Refusal;

/// `/{author}/{function}`
type FunctionPath = Path<(String, String)>;

/// `/{author}/{function}/executions/{execution}`
type ExecutionPath = Path<(String, String, String)>;

/// Likewise with the id of an input or output.
pub(super) type FilePath = Path<(String, String, String, String)>;

/// How a poll wants to know what was printed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Poll {
    stdout: Option<bool>,
    include_log: Option<bool>,
}

/// The name of the function at a path, if there is one that this caller may know of.
pub fn function_name(
    live: &Configuration,
    caller: &Authenticated,
    author: &str,
    function: &str,
) -> Result<Name, Failure> {
    live.functions
        .get_key_value(function)
        .filter(|_| author == live.settings.author.as_str() && caller.knows(function))
        .map(|(name, _)| name.clone())
        .ok_or_else(|| {
            Failure::unknown(format!(
                "there is no function {author}/{function} for this key"
            ))
        })
}

/// `GET /{author}/{function}`
pub async fn describe(
    State(app): Server,
    caller: Authenticated,
    Path((author, function)): FunctionPath,
) -> Result<Json<Value>, Failure> {
    let live = app.live.now();
    let name = function_name(&live, &caller, &author, &function)?;
    let definition = live
        .functions
        .get(&name)
        .ok_or_else(|| Failure::unknown("it was taken away just now"))?;
    Ok(Json(describe::function(
        &live.settings.author,
        &name,
        definition,
    )))
}

/// `POST /{author}/{function}/executions`
pub async fn create(
    State(app): Server,
    caller: Authenticated,
    Path((author, function)): FunctionPath,
) -> Result<Response, Failure> {
    let live = app.live.now();
    let name = function_name(&live, &caller, &author, &function)?;
    let key = caller.key()?.clone();
    describe::takes_new(&app)?;
    let created = blocking(move || {
        let definition = live
            .functions
            .get(&name)
            .ok_or_else(|| Failure::unknown("it was taken away just now"))?;
        let work = Work::Function {
            name: name.clone(),
            definition: Box::new(definition.clone()),
        };
        let limits = limits(&live, &key).narrowed(definition.limits);
        let execution = new_execution(&key, work, limits)?;
        let place = app.place(&execution.id);
        project::make(&place)?;
        let placed = project::place_fixed(&place, definition, &live.definitions)
            .map_err(Failure::from)
            .and_then(|()| Ok(app.registry.add(execution.clone(), &live.settings)?));
        if let Err(failure) = placed {
            // The first failure is the one to tell.
            let _ = std::fs::remove_dir_all(place.directory());
            return Err(failure);
        }
        Ok(describe::execution(&app, &execution))
    })
    .await?;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// The limits of every execution with this key: the server's, its user group's, and its own.
pub fn limits(live: &Configuration, key: &Key) -> Limits {
    let server = Limits {
        max_memory: live.settings.max_memory_mb,
        max_time: live.settings.max_time_minutes,
    };
    let group = live.config.user_group(key.user());
    let own = group.map_or(key.limits, |group| key.limits.narrowed(&group.limits));
    server.narrowed(own.of_each())
}

/// A new execution with an id that can't be guessed.
pub fn new_execution(key: &Key, work: Work, limits: Limits) -> Result<Execution, Failure> {
    let id = random_text(32).map_err(|error| Failure::ours(&error))?;
    let owner = Owner {
        key: &key.id,
        name: key.name.as_str(),
        user: key.user(),
    };
    Ok(Execution::new(id, owner, work, limits))
}

/// The execution at a path. One of another function's or another key's is as good as none.
pub(super) fn find(
    app: &App,
    caller: &Authenticated,
    (author, function, id): (&str, &str, &str),
) -> Result<Execution, Failure> {
    let execution = caller.execution(app, id)?;
    if author != app.live.now().settings.author.as_str() || !execution.work.is_function(function) {
        return Err(Failure::unknown(format!("there is no execution {id:?}")));
    }
    Ok(execution)
}

/// `POST …/executions/{execution}/start`
pub async fn start(
    State(app): Server,
    caller: Authenticated,
    Path((author, function, id)): ExecutionPath,
) -> Result<Json<Value>, Failure> {
    let execution = find(&app, &caller, (&author, &function, &id))?;
    caller.key()?;
    describe::takes_new(&app)?;
    if let Work::Function { definition, .. } = &execution.work {
        let missing: Vec<&str> = definition
            .inputs
            .iter()
            .filter(|input| input.required && !execution.inputs.contains_key(input.id.as_str()))
            .map(|input| input.id.as_str())
            .collect();
        if execution.state == Stands::Created && !missing.is_empty() {
            return Err(Failure::bad(format!(
                "missing input: {}",
                missing.join(", ")
            )));
        }
    }
    let told = blocking(move || {
        app.registry.enqueue(&id, &app.live.now().settings)?;
        let execution = app.registry.get(&id).ok_or(Refusal::Unknown(id))?;
        Ok(describe::execution(&app, &execution))
    })
    .await?;
    Ok(Json(told))
}

/// `GET …/executions/{execution}`: with `?stdout=true` what was printed since the last such poll, as `stdout`;
/// otherwise what was printed since the last plain poll, as `log`; with `?include_log=false` none of it, and
/// the next plain poll begins from the start, for that is how the JavaScript client resumes.
pub async fn poll(
    State(app): Server,
    caller: Authenticated,
    Path((author, function, id)): ExecutionPath,
    Query(poll): Query<Poll>,
) -> Result<Json<Value>, Failure> {
    let execution = find(&app, &caller, (&author, &function, &id))?;
    let told = blocking(move || {
        let mut told = describe::execution(&app, &execution);
        let (stdout, log) = printed(&app, &execution, &poll)?;
        if let Some(object) = told.as_object_mut() {
            // Python's reads `stdout` of every answer, and JavaScript's prints `log` where there is one.
            object.insert("stdout".to_owned(), json!(stdout.unwrap_or_default()));
            object.extend(log.map(|log| ("log".to_owned(), json!(log))));
        }
        Ok(told)
    })
    .await?;
    Ok(Json(told))
}

/// What a poll brings: `stdout`, and `log`.
fn printed(
    app: &App,
    execution: &Execution,
    poll: &Poll,
) -> Result<(Option<String>, Option<String>), Failure> {
    let place = app.place(&execution.id);
    // The execution was looked at before its output is: what came in between waits for the next poll, but
    // of one that has ended this is all.
    let is_whole = execution.state.is_final();
    // The published clients poll no more once they have heard that it has ended.
    let most = if is_whole { u64::MAX } else { PIECE };
    let polls = app.registry.polls(&execution.id);
    let _one_at_a_time = polls
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let before = Cursors::load(&place);
    let mut cursors = before;
    let told = if poll.stdout == Some(true) {
        let piece = piece(&place.stdout(), cursors.stdout, most, is_whole)?;
        cursors.stdout = piece.next;
        (Some(piece.text), None)
    } else if poll.include_log == Some(false) {
        cursors.log = 0;
        (None, None)
    } else {
        let piece = piece(&place.stdout(), cursors.log, most, is_whole)?;
        cursors.log = piece.next;
        (None, Some(piece.text))
    };
    if cursors != before {
        cursors.save(&place)?;
    }
    Ok(told)
}

/// `GET …/executions/{execution}/output/{output}`
pub async fn download(
    State(app): Server,
    caller: Authenticated,
    Path((author, function, id, output)): FilePath,
) -> Result<Response, Failure> {
    let execution = find(&app, &caller, (&author, &function, &id))?;
    if !execution.state.is_final() {
        return Err(Failure::new(
            StatusCode::CONFLICT,
            format!(
                "the execution is {}: outputs are there when it has ended",
                execution.state.as_str()
            ),
        ));
    }
    let place = app.place(&id);
    let found = execution
        .outputs
        .iter()
        .find(|made| made.id.as_str() == output);
    let path = found
        .map(|made| made.path.clone())
        .ok_or_else(|| Failure::unknown(format!("the execution made no output {output:?}")))?;
    let (file, length) = blocking(move || Ok(project::open_output(&place, &path)?)).await?;
    Ok(file_answer(file, length, "application/octet-stream"))
}

/// `POST …/executions/{execution}/stop`
pub async fn stop(
    State(app): Server,
    caller: Authenticated,
    Path((author, function, id)): ExecutionPath,
) -> Result<Json<Value>, Failure> {
    find(&app, &caller, (&author, &function, &id))?;
    stop_execution(app, id).await
}

/// `DELETE …/executions/{execution}`
pub async fn delete(
    State(app): Server,
    caller: Authenticated,
    Path((author, function, id)): ExecutionPath,
) -> Result<Json<Value>, Failure> {
    find(&app, &caller, (&author, &function, &id))?;
    delete_execution(app, id).await
}
