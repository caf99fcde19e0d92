//! A request whose caller was recognised, and the work on it, on a thread that may wait.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::auth::{Proof, Scope, Session, bound};
use crate::gateway::{Failure, Gateway};

/// No body but an import's is nearly as long.
const MAX_BODY: usize = 256 << 10;

/// Who asks, and with what.
#[derive(Debug)]
pub(super) struct Asked {
    pub session: Session,
    pub body: Bytes,
}

/// Does `work` for whoever asks.
pub(super) async fn answer<T: Send + 'static>(
    gateway: &Arc<Gateway>,
    system: Option<&str>,
    request: Request,
    work: impl FnOnce(&Gateway, Asked) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Failure::too_large("the body is too large, or broke off"))?;
    let system = system.map(str::to_owned);
    blocking(gateway, move |gateway| {
        let session = recognise(gateway, &parts, system.as_deref(), &body)?;
        work(gateway, Asked { session, body })
    })
    .await
}

/// Who asks, where the body is still to come.
pub(super) async fn before_body(
    gateway: &Arc<Gateway>,
    system: &str,
    request: Request,
) -> Result<(Session, Body), Failure> {
    let (parts, body) = request.into_parts();
    let system = system.to_owned();
    let session = blocking(gateway, move |gateway| {
        recognise(gateway, &parts, Some(&system), b"")
    })
    .await?;
    Ok((session, body))
}

fn recognise(
    gateway: &Gateway,
    parts: &Parts,
    system: Option<&str>,
    body: &[u8],
) -> Result<Session, Failure> {
    if let Some(system) = system {
        gateway.platform(system)?;
    }
    let target = parts.uri.path_and_query();
    let target = target.map_or("/", |target| target.as_str());
    let bound = bound(parts.method.as_str(), target, body);
    let proof = proof(&parts.headers);
    let session = gateway
        .authenticator
        .session(proof.as_ref(), system, &bound)?;
    if !gateway.rates.allow(session.uid) {
        return Err(Failure::too_many(
            "you ask more often than you may; try again in a moment",
        ));
    }
    if !session.scope.has(parts.uri.path()) {
        return Err(Failure::forbidden(match session.scope {
            Scope::Metrics => "this token reads metrics and nothing else",
            _ => "this password is for the queue's page and nothing else",
        }));
    }
    Ok(session)
}

fn proof(headers: &HeaderMap) -> Option<Proof> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(credential) = text("authentication") {
        return Some(Proof::Munge(credential.trim().to_owned()));
    }
    let (scheme, secret) = text(header::AUTHORIZATION.as_str())?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("basic") {
        return page_password(secret.trim());
    }
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| Proof::Bearer(secret.trim().to_owned()))
}

/// `USER:PASSWORD` in Base64, as browsers send what they have asked for.
fn page_password(text: &str) -> Option<Proof> {
    let text = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Proof::Page {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

/// Work that waits for disks, programs or munge.
pub(super) async fn blocking<T: Send + 'static>(
    gateway: &Arc<Gateway>,
    work: impl FnOnce(&Gateway) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let gateway = Arc::clone(gateway);
    let done = tokio::task::spawn_blocking(move || work(&gateway)).await;
    done.unwrap_or_else(|error| Err(Failure::ours(&error)))
}
