//! The description of the whole API, kept by hand in `docs/` and served as it is.

use axum::response::Response;

/// OpenAPI 3.1, JSON.
pub const TEXT: &str = include_str!("../../../../../docs/opt-server-openapi.json");

/// `GET /openapi.json`
pub async fn openapi() -> Response {
    daemon::openapi::answer(TEXT)
}
