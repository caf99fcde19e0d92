//! A server's description of what it answers, kept by hand and served as it is.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Such a description: OpenAPI 3.1, JSON.
pub fn answer(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The methods and paths in one, as `get /path`.
///
/// # Panics
/// Where it isn't such a description: for tests that hold it against the routes.
pub fn described(text: &str) -> Vec<String> {
    let description: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let paths = description["paths"].as_object().expect("paths");
    let methods = |(path, item): (&String, &serde_json::Value)| {
        let keys = item.as_object().expect("a path's methods").keys();
        let methods = keys.filter(|key| key.as_str() != "parameters");
        methods
            .map(|method| format!("{method} {path}"))
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(methods).collect()
}
