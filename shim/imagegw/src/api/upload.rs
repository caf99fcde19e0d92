//! Imports: the file in the request's body, sent by a client that opened it as the user.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::Server;
use super::asked::{before_body, blocking};
use super::record;
use crate::gateway::{Failure, Gateway, Import};
use crate::state::Access;

/// Of the file, and for whom the image is.
#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    /// Of the body: `sha256:…`. A credential is bound to it by being bound to the query.
    digest: String,
    users: Option<String>,
    groups: Option<String>,
}

impl Parameters {
    fn access(&self) -> Result<Access, Failure> {
        let ids = |text: &Option<String>| -> Result<Option<Vec<u32>>, Failure> {
            let Some(text) = text else { return Ok(None) };
            let ids: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
            ids.map(Some)
                .map_err(|_| Failure::bad(format!("{text:?} isn't a list of numbers, as 1,2")))
        };
        Ok(Access {
            users: ids(&self.users)?,
            groups: ids(&self.groups)?,
        })
    }
}

/// `POST /v2/systems/{system}/imports/{tag}`
pub(super) async fn import(
    State(gateway): Server,
    Path((system, tag)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let most = gateway.configuration.limits.import_size;
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|text| text.to_str().ok()?.parse().ok());
    if length.is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    let access = parameters.access()?;
    let (session, body) = before_body(&gateway, &system, request).await?;
    let (session, name, waiting, file) = blocking(&gateway, move |gateway| {
        let name = gateway.may_import(&session, &system, "custom", &tag)?;
        let (waiting, file) = gateway.new_import()?;
        Ok((session, name, waiting, file))
    })
    .await?;
    let received = receive(&gateway, body, file, &parameters.digest).await;
    let pull = blocking(&gateway, move |gateway| {
        let pull =
            received.and_then(|()| gateway.import(&session, &name, Import { access }, &waiting));
        if pull.is_err() {
            gateway.drop_import(&waiting);
        }
        pull
    })
    .await?;
    let told = record::pull(&pull, None);
    Ok((StatusCode::ACCEPTED, Json(json!({ "pull": told }))))
}

/// Writes a body that has to have this digest.
async fn receive(
    gateway: &Gateway,
    body: Body,
    file: std::fs::File,
    digest: &str,
) -> Result<(), Failure> {
    let limits = &gateway.configuration.limits;
    let mut file = File::from_std(file);
    let mut context = Context::new(&SHA256);
    let mut pieces = body.into_data_stream();
    let mut length = 0u64;
    loop {
        let next = timeout(limits.idle, pieces.next()).await;
        let piece = match next.map_err(|_| Failure::bad("the body took too long"))? {
            None => break,
            Some(piece) => {
                piece.map_err(|error| Failure::bad(format!("the body broke off: {error}")))?
            }
        };
        length += piece.len() as u64;
        if length > limits.import_size {
            return Err(too_large(limits.import_size));
        }
        context.update(&piece);
        file.write_all(&piece).await?;
    }
    file.sync_all().await?;
    let found = context.finish();
    let hex = found.as_ref().iter().map(|byte| format!("{byte:02x}"));
    let found = format!("sha256:{}", hex.collect::<String>());
    match found == digest {
        true => Ok(()),
        false => Err(Failure::bad(format!("the body is {found}, not {digest}"))),
    }
}

fn too_large(most: u64) -> Failure {
    Failure::too_large(format!("larger than the limit of {most} bytes"))
}
