//! Our own routes, with real status codes.

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Server;
use super::asked::answer;
use super::record;
use crate::auth::{PAGE_PASSWORD_GOOD_FOR, Scope};
use crate::gateway::{Answer, Failure, Wanted};
use crate::state::{Access, Status};

/// `GET /v2/status`: for who wants to make credentials that only this gateway can read.
pub(super) async fn status() -> Json<Value> {
    let uid = nix::unistd::geteuid().as_raw();
    Json(json!({ "status": "up", "uid": uid, "version": env!("CARGO_PKG_VERSION") }))
}

/// `GET /metrics`
pub(super) async fn metrics(State(gateway): Server, request: Request) -> Result<Response, Failure> {
    let text = answer(&gateway, None, request, |gateway, asked| {
        let session = &asked.session;
        let mut systems = gateway.configuration.platforms.keys();
        let is_for_metrics = session.scope == Scope::Metrics;
        if !is_for_metrics && !systems.any(|system| gateway.is_admin(session, system)) {
            return Err(Failure::forbidden(
                "metrics are read by administrators, and with tokens for them",
            ));
        }
        let (images, bytes) = gateway.state.see(|memory| {
            let ready = memory
                .all_images()
                .filter(|image| image.status == Status::Ready);
            ready.fold((0, 0), |(count, bytes), image| {
                (count + 1, bytes + image.size)
            })
        });
        let waiting = gateway.queue.length();
        Ok(gateway.metrics.text(waiting, images, bytes))
    });
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([("content-type", kind)], text.await?).into_response())
}

/// `GET /v2/systems/{system}/images`
pub(super) async fn images(
    State(gateway): Server,
    Path(system): Path<String>,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let of = system.clone();
    let images = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let images = gateway.list(&asked.session, &system)?;
        let told = images
            .iter()
            .map(|image| record::image(image, gateway.state.expiration(image)));
        Ok(json!({ "images": told.collect::<Vec<Value>>() }))
    });
    Ok(Json(images.await?))
}

/// `GET /v2/systems/{system}/images/{id}`
pub(super) async fn image(
    State(gateway): Server,
    Path((system, id)): Path<(String, String)>,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let of = system.clone();
    let told = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let image = gateway.inspect(&asked.session, &system, &id)?;
        Ok(record::image(&image, gateway.state.expiration(&image)))
    });
    Ok(Json(told.await?))
}

/// `DELETE /v2/systems/{system}/images/{id}`
pub(super) async fn delete(
    State(gateway): Server,
    Path((system, id)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let of = system.clone();
    answer(&gateway, Some(&of), request, move |gateway, asked| {
        gateway.delete(&asked.session, &system, &id)
    })
    .await?;
    Ok(StatusCode::ACCEPTED)
}

/// `GET /v2/systems/{system}/names/{type}/{tag}`
pub(super) async fn named(
    State(gateway): Server,
    Path((system, kind, tag)): Path<(String, String, String)>,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let of = system.clone();
    let told = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let image = gateway.look_up(&asked.session, &system, &kind, &tag)?;
        Ok(record::image(&image, gateway.state.expiration(&image)))
    });
    Ok(Json(told.await?))
}

/// Who is to use an image.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    users: Option<Vec<u32>>,
    groups: Option<Vec<u32>>,
}

/// `POST /v2/systems/{system}/pulls/{type}/{tag}`: 200 where the image is there, 202 where it is being made or couldn't
/// be.
pub(super) async fn pull(
    State(gateway): Server,
    Path((system, kind, tag)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let of = system.clone();
    let told = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let allowed: Allowed = match asked.body.trim_ascii() {
            [] => Allowed::default(),
            body => serde_json::from_slice(body)
                .map_err(|error| Failure::bad(format!("the body: {error}")))?,
        };
        let wanted = Wanted {
            access: Access {
                users: allowed.users,
                groups: allowed.groups,
            },
        };
        let answer = gateway.pull(&asked.session, &system, &kind, &tag, &wanted)?;
        Ok(match answer {
            Answer::Image(image) => {
                let told = record::image(&image, gateway.state.expiration(&image));
                (StatusCode::OK, json!({ "image": told }))
            }
            Answer::Pull(pull) => {
                let told = record::pull(&pull, gateway.queue.progress(pull.number));
                (StatusCode::ACCEPTED, json!({ "pull": told }))
            }
        })
    });
    let (status, told) = told.await?;
    Ok((status, Json(told)).into_response())
}

/// `DELETE /v2/systems/{system}/queue/{number}`
pub(super) async fn cancel(
    State(gateway): Server,
    Path((system, number)): Path<(String, u64)>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let of = system.clone();
    answer(&gateway, Some(&of), request, move |gateway, asked| {
        gateway.cancel(&asked.session, &system, number)
    })
    .await?;
    Ok(StatusCode::ACCEPTED)
}

/// `GET /v2/systems/{system}/queue`
pub(super) async fn queue(
    State(gateway): Server,
    Path(system): Path<String>,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let of = system.clone();
    let told = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let waiting = gateway.waiting(&asked.session, &system)?;
        let told = waiting.iter().map(record::waiting);
        Ok(json!({ "pulls": told.collect::<Vec<Value>>() }))
    });
    Ok(Json(told.await?))
}

/// `POST /v2/systems/{system}/queue/password`: with it a browser sees the queue's page.
pub(super) async fn page_password(
    State(gateway): Server,
    Path(system): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let of = system.clone();
    let told = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let session = &asked.session;
        let password = gateway.authenticator.page_password(session, &system);
        Ok(json!({
            "path": format!("/queue/{system}"),
            "user": session.user,
            "password": password.map_err(|error| Failure::ours(&error))?,
            "seconds": PAGE_PASSWORD_GOOD_FOR.as_secs(),
        }))
    });
    Ok((StatusCode::CREATED, Json(told.await?)).into_response())
}

/// `POST /v2/systems/{system}/expire/{type}/{tag}`
pub(super) async fn expire(
    State(gateway): Server,
    Path((system, kind, tag)): Path<(String, String, String)>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let of = system.clone();
    answer(
        &gateway,
        Some(&of),
        request,
        move |gateway, asked| match gateway.expire(&asked.session, &system, &kind, &tag)? {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::forbidden("images are expired by administrators")),
            None => Err(Failure::unknown(format!("{system} has no image {tag}"))),
        },
    )
    .await?;
    Ok(StatusCode::ACCEPTED)
}

/// `POST /v2/systems/{system}/autoexpire`
pub(super) async fn auto_expire(
    State(gateway): Server,
    Path(system): Path<String>,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let of = system.clone();
    let told = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let gone = gateway.auto_expire(&asked.session, &system)?;
        let gone =
            gone.ok_or_else(|| Failure::forbidden("images are expired by administrators"))?;
        Ok(json!({ "expired": gone }))
    });
    Ok(Json(told.await?))
}

/// `?limit=10`
#[derive(Debug, Deserialize)]
pub(super) struct Limit {
    limit: Option<usize>,
}

/// `GET /v2/systems/{system}/lookups`
pub(super) async fn lookups(
    State(gateway): Server,
    Path(system): Path<String>,
    Query(limit): Query<Limit>,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let of = system.clone();
    let told = answer(&gateway, Some(&of), request, move |gateway, asked| {
        if !gateway.is_admin(&asked.session, &system) {
            return Err(Failure::forbidden("lookups are read by administrators"));
        }
        let most = limit.limit.unwrap_or(10);
        let lookups = gateway.last_lookups(&asked.session, &system, most)?;
        Ok(json!({ "lookups": lookups }))
    });
    Ok(Json(told.await?))
}
