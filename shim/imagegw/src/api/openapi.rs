//! The description of the whole API, kept by hand in `docs/` and served as it is.

use axum::response::Response;

/// OpenAPI 3.1, JSON.
pub(super) const TEXT: &str = include_str!("../../../../docs/shifter-imagegw-openapi.json");

/// `GET /v2/openapi.json`
pub(super) async fn openapi() -> Response {
    daemon::openapi::answer(TEXT)
}
