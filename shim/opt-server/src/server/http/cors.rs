//! Browsers: pages of other sites may call the API, for PIFOP's JavaScript client runs in them. A key is
//! never sent by the browser on its own, as a cookie would be, so a page can do only what its key can.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The answer to a browser that asks first, if this is one.
pub fn preflight(method: &Method) -> Option<Response> {
    if *method != Method::OPTIONS {
        return None;
    }
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, accept",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    Some((StatusCode::NO_CONTENT, headers).into_response())
}

/// Lets a page of any site read the answer.
pub fn let_read(response: &mut Response) {
    response.headers_mut().insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
}
