//! The description of the whole API, kept by hand in `docs/` and served as it is.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// OpenAPI 3.1, JSON.
pub const TEXT: &str = include_str!("../../../../../docs/opt-server-openapi.json");

/// `GET /openapi.json`
pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT).into_response()
}
