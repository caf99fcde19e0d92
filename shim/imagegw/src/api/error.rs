//! Refusals: with real status codes below `/v2/`, and below `/api/` with the one that Shifter has for all of them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::gateway::{Failure, Reason};

pub(super) fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::Bad => StatusCode::BAD_REQUEST,
        Reason::Unauthenticated => StatusCode::UNAUTHORIZED,
        Reason::Forbidden => StatusCode::FORBIDDEN,
        Reason::Unknown => StatusCode::NOT_FOUND,
        Reason::Conflict => StatusCode::CONFLICT,
        Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Reason::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Reason::Ours => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.message }));
        let mut response = (status(self.reason), body).into_response();
        let header = match self.reason {
            Reason::Unauthenticated => Some((header::WWW_AUTHENTICATE, "Bearer")),
            Reason::TooMany | Reason::Unavailable => Some((header::RETRY_AFTER, "3")),
            _ => None,
        };
        if let Some((name, value)) = header {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// As Shifter tells it: 404, whatever it is.
pub(super) fn as_shifter(failure: &Failure, uri: &Uri) -> Response {
    let body = json!({
        "status": 404,
        "error": failure.message,
        "message": format!("Not Found: {uri}"),
    });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}
