//! The description of the whole API, kept by hand in `docs/` and served as it is.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// OpenAPI 3.1, JSON.
pub(super) const TEXT: &str = include_str!("../../../../docs/shifter-imagegw-openapi.json");

/// `GET /v2/openapi.json`
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT).into_response()
}
