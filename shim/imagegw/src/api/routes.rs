//! Which path is answered by what. The table is the only list of routes: the description in
//! `docs/shifter-imagegw-openapi.json` is held against it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use daemon::answers;
use daemon::metrics::Asked;

use super::{openapi, page, shifter, upload, v2};
use crate::gateway::{Failure, Gateway};

type Route = (
    &'static str,
    &'static [&'static str],
    MethodRouter<Arc<Gateway>>,
);

/// Path, methods, handlers. Below `/api/` each stands once with its slash and once without it.
fn routes() -> Vec<Route> {
    let mut routes = shifters();
    routes.extend(ours());
    routes
}

fn shifters() -> Vec<Route> {
    vec![
        ("/", &["get"], get(shifter::root)),
        ("/api/status", &["get"], get(shifter::status)),
        ("/api/list/{system}/", &["get"], get(shifter::list)),
        (
            "/api/lookup/{system}/{type}/{*tag}",
            &["get"],
            get(shifter::lookup),
        ),
        (
            "/api/pull/{system}/{type}/{*tag}",
            &["post"],
            post(shifter::pull),
        ),
        (
            "/api/doimport/{system}/{type}/{*tag}",
            &["post"],
            post(shifter::import),
        ),
        (
            "/api/expire/{system}/{type}/{*tag}",
            &["get"],
            get(shifter::expire),
        ),
        (
            "/api/autoexpire/{system}/",
            &["get"],
            get(shifter::auto_expire),
        ),
        ("/api/metrics/{system}/", &["get"], get(shifter::metrics)),
        ("/api/queue/{system}/", &["get"], get(shifter::queue)),
    ]
}

fn ours() -> Vec<Route> {
    vec![
        ("/metrics", &["get"], get(v2::metrics)),
        ("/queue/{system}", &["get"], get(page::queue)),
        ("/v2/status", &["get"], get(v2::status)),
        ("/v2/openapi.json", &["get"], get(openapi::openapi)),
        ("/v2/systems/{system}/images", &["get"], get(v2::images)),
        (
            "/v2/systems/{system}/images/{id}",
            &["get", "delete"],
            get(v2::image).delete(v2::delete),
        ),
        (
            "/v2/systems/{system}/names/{type}/{*tag}",
            &["get"],
            get(v2::named),
        ),
        (
            "/v2/systems/{system}/pulls/{type}/{*tag}",
            &["post"],
            post(v2::pull),
        ),
        (
            "/v2/systems/{system}/imports/{*tag}",
            &["post"],
            post(upload::import),
        ),
        ("/v2/systems/{system}/queue", &["get"], get(v2::queue)),
        (
            "/v2/systems/{system}/queue/password",
            &["post"],
            post(v2::page_password),
        ),
        (
            "/v2/systems/{system}/queue/{number}",
            &["delete"],
            delete(v2::cancel),
        ),
        (
            "/v2/systems/{system}/expire/{type}/{*tag}",
            &["post"],
            post(v2::expire),
        ),
        (
            "/v2/systems/{system}/autoexpire",
            &["post"],
            post(v2::auto_expire),
        ),
        ("/v2/systems/{system}/lookups", &["get"], get(v2::lookups)),
    ]
}

/// Everything that the gateway answers.
pub fn router(gateway: &Arc<Gateway>) -> Router {
    let mut router = Router::new();
    for (path, _, handlers) in routes() {
        if let Some(bare) = path.strip_suffix('/').filter(|bare| !bare.is_empty()) {
            router = router.route(bare, handlers.clone());
        }
        router = router.route(path, handlers);
    }
    router
        .fallback(|| async { Failure::unknown("there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            let told = Failure::bad("this path has no such method").into_response();
            (StatusCode::METHOD_NOT_ALLOWED, told).into_response()
        })
        .layer(middleware::from_fn_with_state(
            Arc::clone(gateway),
            every_answer,
        ))
        .with_state(Arc::clone(gateway))
}

/// What holds for every answer: it is counted, kept by nobody, and taken for what it says it is.
async fn every_answer(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Response {
    let asked = Asked::of(&request);
    let mut response = next.run(request).await;
    gateway.metrics.common.answered(asked, response.status());
    answers::guard(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_description_has_every_route_and_no_other() {
        let ours: BTreeSet<String> = routes()
            .into_iter()
            .flat_map(|(path, methods, _)| {
                // OpenAPI has no name for the rest of a path.
                let path = path.replace("{*", "{");
                methods.iter().map(move |method| format!("{method} {path}"))
            })
            .collect();
        let described = BTreeSet::from_iter(daemon::openapi::described(openapi::TEXT));
        assert_eq!(ours, described);
    }
}
