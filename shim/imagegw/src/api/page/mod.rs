//! The queue as a page for browsers: it shows what whoever asks may see, loads nothing and runs nothing.

mod html;

use std::sync::LazyLock;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA256, digest};

use super::Server;
use super::asked::answer;
use super::error::status;
use crate::gateway::{Failure, Reason};
use html::{Row, Shown};

const STYLE: &str = include_str!("page.css");

/// Nothing but the style that is in the page itself.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// `GET /queue/{system}`
pub(super) async fn queue(
    State(gateway): Server,
    Path(system): Path<String>,
    request: Request,
) -> Response {
    let of = system.clone();
    let page = answer(&gateway, Some(&of), request, move |gateway, asked| {
        let waiting = gateway.waiting(&asked.session, &system)?;
        let name = |uid| gateway.authenticator.user_name(uid);
        let rows = waiting.iter().map(|waiting| Row::of(waiting, name));
        let shown = Shown {
            system: &system,
            user: &asked.session.user,
            now: crate::state::now(),
            rows: rows.collect(),
        };
        Ok(shown.to_string())
    });
    match page.await {
        Ok(page) => respond(StatusCode::OK, page),
        Err(failure) => refuse(&failure, &of),
    }
}

fn respond(status: StatusCode, page: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, &POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, page).into_response()
}

/// A browser asks its user for a password then.
fn refuse(failure: &Failure, system: &str) -> Response {
    let page = html::refusal(&failure.message);
    let mut response = respond(status(failure.reason), page);
    if failure.reason == Reason::Unauthenticated {
        // A system of the configuration's, whose name is of plain characters; others are unknown before.
        let wanted = format!("Basic realm=\"image gateway, {system}\", charset=\"UTF-8\"");
        if let Ok(wanted) = HeaderValue::from_str(&wanted) {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, wanted);
        }
    }
    response
}
