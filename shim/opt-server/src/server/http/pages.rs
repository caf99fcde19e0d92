//! The page for people: three files in this program, and headers that let it run nothing else.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`
pub async fn page() -> Response {
    file(
        "text/html; charset=utf-8",
        include_str!("../page/index.html"),
    )
}

/// `GET /ui/page.js`
pub async fn script() -> Response {
    file(
        "text/javascript; charset=utf-8",
        include_str!("../page/page.js"),
    )
}

/// `GET /ui/page.css`
pub async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("../page/page.css"))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
    ];
    (headers, text).into_response()
}
