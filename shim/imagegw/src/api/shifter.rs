//! Shifter's routes. Their paths end with a slash, and needn't.

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Server;
use super::asked::{Asked, answer};
use super::error::as_shifter;
use super::record;
use crate::gateway::{Answer, Failure, Import, Wanted};
use crate::state::{Access, Status};

type OfSystem = Path<String>;
type OfTag = Path<(String, String, String)>;

/// `GET /`
pub(super) async fn root() -> &'static str {
    "{lookup,pull,expire,list}"
}

/// `GET /api/status`
pub(super) async fn status() -> Json<Value> {
    Json(json!({ "status": "up" }))
}

fn told(outcome: Result<Value, Failure>, uri: &Uri) -> Response {
    match outcome {
        Ok(value) => Json(value).into_response(),
        Err(failure) => as_shifter(&failure, uri),
    }
}

/// A tag without the slash that paths end with.
fn trimmed(tag: &str) -> &str {
    tag.strip_suffix('/').unwrap_or(tag)
}

/// `GET /api/list/{system}/`
pub(super) async fn list(
    State(gateway): Server,
    Path(system): OfSystem,
    uri: Uri,
    request: Request,
) -> Response {
    let of = system.clone();
    let outcome = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let images = gateway.list(&asked.session, &system)?;
        let records = images.iter().map(|image| record::shifter_image(image));
        Ok(json!({ "list": records.collect::<Vec<Value>>() }))
    });
    told(outcome.await, &uri)
}

/// `GET /api/lookup/{system}/{type}/{tag}/`
pub(super) async fn lookup(
    State(gateway): Server,
    Path((system, kind, tag)): OfTag,
    uri: Uri,
    request: Request,
) -> Response {
    let of = system.clone();
    let outcome = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let image = gateway.look_up(&asked.session, &system, &kind, trimmed(&tag))?;
        Ok(record::shifter_image(&image))
    });
    told(outcome.await, &uri)
}

/// What `pull` and `doimport` are asked with.
#[derive(Debug, Default, Deserialize)]
struct Body {
    allowed_uids: Option<String>,
    allowed_gids: Option<String>,
    filepath: Option<String>,
    format: Option<String>,
}

impl Body {
    fn read(asked: &Asked) -> Result<Self, Failure> {
        if asked.body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(&asked.body)
            .map_err(|error| Failure::bad(format!("the body isn't what it should be: {error}")))
    }

    fn access(&self) -> Result<Access, Failure> {
        Ok(Access {
            users: ids(self.allowed_uids.as_deref())?,
            groups: ids(self.allowed_gids.as_deref())?,
        })
    }
}

/// `"1,2"`. An empty text names nobody in particular, as if it weren't there.
fn ids(text: Option<&str>) -> Result<Option<Vec<u32>>, Failure> {
    let words = text.unwrap_or_default().split(',').map(str::trim);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Ok(None);
    }
    let id = |word: &&str| word.parse::<u32>().ok().filter(|id| *id != u32::MAX);
    let ids: Option<Vec<u32>> = words.iter().map(id).collect();
    ids.map(Some)
        .ok_or_else(|| Failure::bad(format!("{text:?} isn't a list of numbers, as \"1,2\"")))
}

/// `POST /api/pull/{system}/{type}/{tag}/`
pub(super) async fn pull(
    State(gateway): Server,
    Path((system, kind, tag)): OfTag,
    uri: Uri,
    request: Request,
) -> Response {
    let of = system.clone();
    let outcome = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let access = Body::read(&asked)?.access()?;
        let wanted = Wanted { access };
        let answer = gateway.pull(&asked.session, &system, &kind, trimmed(&tag), &wanted)?;
        let mut told = record::shifter_answer(&answer);
        if let Answer::Pull(pull) = &answer
            && let Some((done, total)) = gateway.queue.progress(pull.number)
        {
            // More than Shifter tells; our own client shows it.
            told["done"] = done.into();
            told["total"] = total.into();
        }
        Ok(told)
    });
    told(outcome.await, &uri)
}

/// `POST /api/doimport/{system}/{type}/{tag}/`
pub(super) async fn import(
    State(gateway): Server,
    Path((system, kind, tag)): OfTag,
    uri: Uri,
    request: Request,
) -> Response {
    let of = system.clone();
    let outcome = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let body = Body::read(&asked)?;
        let session = &asked.session;
        let name = gateway.may_import(session, &system, &kind, trimmed(&tag))?;
        let path = body.filepath.as_deref();
        let path = path.ok_or_else(|| Failure::bad("filepath is missing: the file to import"))?;
        // What a file holds is seen when it is read.
        let _ = body.format.as_deref();
        let access = body.access()?;
        let waiting = gateway.take_file(session, path.as_ref())?;
        let pull = gateway.import(session, &name, Import { access }, &waiting);
        if pull.is_err() {
            gateway.drop_import(&waiting);
        }
        Ok(record::shifter_pull(&*pull?))
    });
    told(outcome.await, &uri)
}

/// `GET /api/expire/{system}/{type}/{tag}/`
pub(super) async fn expire(
    State(gateway): Server,
    Path((system, kind, tag)): OfTag,
    uri: Uri,
    request: Request,
) -> Response {
    let of = system.clone();
    let outcome = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let is_gone = gateway.expire(&asked.session, &system, &kind, trimmed(&tag))?;
        Ok(json!({ "status": is_gone }))
    });
    told(outcome.await, &uri)
}

/// `GET /api/autoexpire/{system}/`
pub(super) async fn auto_expire(
    State(gateway): Server,
    Path(system): OfSystem,
    uri: Uri,
    request: Request,
) -> Response {
    let of = system.clone();
    let outcome = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let gone = gateway.auto_expire(&asked.session, &system)?;
        Ok(match gone {
            Some(gone) => json!({ "status": gone }),
            None => json!({ "status": false }),
        })
    });
    told(outcome.await, &uri)
}

/// `?limit=10`
#[derive(Debug, Deserialize)]
pub(super) struct Limit {
    limit: Option<usize>,
}

/// `GET /api/metrics/{system}/`
pub(super) async fn metrics(
    State(gateway): Server,
    Path(system): OfSystem,
    Query(limit): Query<Limit>,
    uri: Uri,
    request: Request,
) -> Response {
    let of = system.clone();
    let outcome = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let most = limit.limit.unwrap_or(10);
        let lookups = gateway.last_lookups(&asked.session, &system, most)?;
        Ok(json!(lookups))
    });
    told(outcome.await, &uri)
}

/// `GET /api/queue/{system}/`
pub(super) async fn queue(
    State(gateway): Server,
    Path(system): OfSystem,
    uri: Uri,
    request: Request,
) -> Response {
    let of = system.clone();
    let outcome = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let waiting = gateway.waiting(&asked.session, &system)?;
        let shown = waiting.iter().map(|waiting| {
            let image = match waiting.is_shown {
                true => waiting.pull.name.tag.as_str(),
                false => "(private)",
            };
            json!({ "status": Status::as_str(waiting.pull.status), "image": image })
        });
        Ok(json!({ "list": shown.collect::<Vec<Value>>() }))
    });
    told(outcome.await, &uri)
}
