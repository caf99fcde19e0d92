//! Errors as the published clients expect them: a JSON object with an `errorMessage`.

use std::io;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use runtime::telling;
use serde_json::json;

use crate::server::keys::KeyFileError;
use crate::server::registry::Refusal;

/// A request that failed.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Failure {
    /// With this status and message.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            header: None,
        }
    }

    /// Without a key that is known.
    pub fn unauthorized(message: &str) -> Self {
        Self {
            header: Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            ..Self::new(StatusCode::UNAUTHORIZED, message)
        }
    }

    /// With a key that may not do this.
    pub fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// Not there, or not for this key.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// Not what it should be.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Later: the published JavaScript client comes again by itself after three seconds.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            header: Some((header::RETRY_AFTER, HeaderValue::from_static("3"))),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }

    /// A fault that is ours: the caller is told that there was one, the log which.
    pub fn ours(error: &(dyn std::error::Error + 'static)) -> Self {
        let told = telling::line(error);
        if is_full(error) {
            tracing::error!(error = %told, "the disk is full");
            return Self::unavailable("the server has no space left; try again later");
        }
        tracing::error!(error = %told, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed; its log says why",
        )
    }
}

fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let found = match error.downcast_ref::<redb::Error>() {
            Some(redb::Error::Io(error)) => Some(error),
            _ => error.downcast_ref::<io::Error>(),
        };
        if found.is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            )
        }) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::ours(&error)
    }
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        match error {
            KeyFileError::Taken(_) => Self::new(StatusCode::CONFLICT, error.to_string()),
            KeyFileError::Unknown(_) => Self::unknown(error.to_string()),
            other => Self::ours(&other),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(_) => Self::unknown(refusal.to_string()),
            Refusal::WrongState { .. } => Self::new(StatusCode::CONFLICT, refusal.to_string()),
            Refusal::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, refusal.to_string()),
            Refusal::TooMany(_) => Self::new(StatusCode::TOO_MANY_REQUESTS, refusal.to_string()),
            Refusal::Full(_) => Self::unavailable(refusal.to_string()),
            Refusal::Store(error) => Self::ours(&error),
            Refusal::File(error) => Self::ours(&error),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = Json(json!({ "errorMessage": self.message }));
        let mut response = (self.status, body).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
