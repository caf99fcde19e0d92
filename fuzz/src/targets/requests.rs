//! Requests to a server's router, without a socket. An input is requests one after the other, each as HTTP/1.1 has them
//! but for its version and its line breaks:
//!
//! ```text
//! POST /v1/commands/true?arg=x
//! authorization: Bearer USER
//!
//! body
//! ```
//!
//! The words `ADMIN` and `USER` in the place of a secret stand for good ones, and `LAST` in a path for the identifier that
//! the last answer told: fuzzers don't guess those.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use serde_json::Value;
use tower::ServiceExt;

use crate::tar;

/// Between one request and the next.
const NEXT: &str = "\n--next--\n";

/// More than any answer that is told at once.
const MOST: usize = 4 << 20;

/// Good secrets.
pub(super) struct Secrets {
    pub admin: String,
    pub user: String,
}

/// Sends all of an input's requests, and holds the answers against what holds for all of them.
pub(super) async fn send_all(router: &Router, input: &[u8], secrets: &Secrets) {
    let mut last = String::new();
    for one in split(input) {
        let Some(request) = request(one, secrets, &last) else {
            continue;
        };
        let asked = format!("{} {}", request.method(), request.uri());
        if let Some(id) = send(router, request, &asked).await {
            last = id;
        }
    }
}

fn split(mut input: &[u8]) -> Vec<&[u8]> {
    let mut all = vec![];
    while let Some(at) = input
        .windows(NEXT.len())
        .position(|window| window == NEXT.as_bytes())
    {
        all.push(&input[..at]);
        input = &input[at + NEXT.len()..];
    }
    all.push(input);
    // A fuzzer that repeats itself finds nothing.
    all.truncate(8);
    all
}

fn request(text: &[u8], secrets: &Secrets, last: &str) -> Option<Request<Body>> {
    let at = text.windows(2).position(|window| window == b"\n\n");
    let (head, body) = match at {
        Some(at) => (&text[..at], &text[at + 2..]),
        None => (text, &b""[..]),
    };
    let mut lines = str::from_utf8(head).ok()?.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut body = body.to_vec();
    tar::mend(&mut body);
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = target.replace("LAST", last).parse::<Uri>().ok()?;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = match value.trim() {
            "Bearer ADMIN" => format!("Bearer {}", secrets.admin),
            "Bearer USER" => format!("Bearer {}", secrets.user),
            other => other.to_owned(),
        };
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        request
            .headers_mut()
            .insert(name, HeaderValue::from_str(&value).ok()?);
    }
    Some(request)
}

/// The identifier that the answer tells, if it does.
async fn send(router: &Router, request: Request<Body>, asked: &str) -> Option<String> {
    let response = router.clone().oneshot(request).await;
    let Ok(response) = response;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).cloned();
    // Events go on until what they are of ends, and nothing here is begun.
    if kind
        .as_ref()
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
    {
        return None;
    }
    let sniffing = response.headers().get(header::X_CONTENT_TYPE_OPTIONS);
    assert_eq!(
        sniffing.map(HeaderValue::as_bytes),
        Some(&b"nosniff"[..]),
        "{asked}"
    );
    let body = to_bytes(response.into_body(), MOST)
        .await
        .expect("a whole answer");
    let told = String::from_utf8_lossy(&body);
    assert_ne!(status.as_u16(), 500, "{asked}: {told}");
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let value: Value = match is_json {
        true => serde_json::from_slice(&body).expect("JSON where it says JSON"),
        false => return None,
    };
    Some(value.get("id")?.as_str()?.to_owned())
}
