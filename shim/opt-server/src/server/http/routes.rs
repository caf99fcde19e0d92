//! Which path is answered by what. The table is the only list of routes: the description in
//! `docs/opt-server-openapi.json` is held against it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use daemon::answers;
use daemon::metrics::Asked;

use super::error::Failure;
use super::{
    commands_api, cors, events, executions_api, functions_api, health, inputs, keys_api, openapi,
    pages,
};
use crate::server::App;

type Route = (
    &'static str,
    &'static [&'static str],
    MethodRouter<Arc<App>>,
);

/// Path, methods, handlers.
fn routes() -> Vec<Route> {
    const EXECUTION: &str = "/{author}/{function}/executions/{execution}";
    vec![
        ("/", &["get"], get(pages::page)),
        ("/ui/page.js", &["get"], get(pages::script)),
        ("/ui/page.css", &["get"], get(pages::style)),
        ("/healthz", &["get"], get(health::healthz)),
        ("/readyz", &["get"], get(health::readyz)),
        ("/metrics", &["get"], get(health::metrics)),
        ("/openapi.json", &["get"], get(openapi::openapi)),
        (
            "/{author}/{function}",
            &["get"],
            get(functions_api::describe),
        ),
        (
            "/{author}/{function}/executions",
            &["post"],
            post(functions_api::create),
        ),
        (
            EXECUTION,
            &["get", "delete"],
            get(functions_api::poll).delete(functions_api::delete),
        ),
        (
            "/{author}/{function}/executions/{execution}/input/{input}",
            &["post"],
            post(inputs::upload),
        ),
        (
            "/{author}/{function}/executions/{execution}/start",
            &["post"],
            post(functions_api::start),
        ),
        (
            "/{author}/{function}/executions/{execution}/stop",
            &["post"],
            post(functions_api::stop),
        ),
        (
            "/{author}/{function}/executions/{execution}/output/{output}",
            &["get"],
            get(functions_api::download),
        ),
        (
            "/{author}/{function}/api_keys",
            &["post"],
            post(keys_api::add),
        ),
        (
            "/{author}/{function}/api_keys/{name}",
            &["delete"],
            delete(keys_api::revoke),
        ),
        ("/v1/whoami", &["get"], get(executions_api::whoami)),
        ("/v1/commands", &["get"], get(commands_api::list)),
        ("/v1/commands/{command}", &["post"], post(commands_api::run)),
        (
            "/v1/commands/{command}/sandbox",
            &["get"],
            get(commands_api::sandbox),
        ),
        ("/v1/executions", &["get"], get(executions_api::list)),
        (
            "/v1/executions/{execution}",
            &["get", "delete"],
            get(executions_api::show).delete(executions_api::delete),
        ),
        (
            "/v1/executions/{execution}/stop",
            &["post"],
            post(executions_api::stop),
        ),
        (
            "/v1/executions/{execution}/events",
            &["get"],
            get(events::follow),
        ),
        (
            "/v1/executions/{execution}/output/{stream}",
            &["get"],
            get(executions_api::stream),
        ),
        (
            "/v1/executions/{execution}/files",
            &["get"],
            get(executions_api::files),
        ),
    ]
}

/// The whole server.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for (path, _, handlers) in routes() {
        router = router.route(path, handlers);
    }
    router
        .fallback(|| async { Failure::unknown("there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path has no such method",
            )
        })
        .layer(middleware::from_fn_with_state(app.clone(), every_answer))
        .with_state(app)
}

/// What holds for every answer: it is counted, logged, kept by nobody, and taken for what it says it is.
async fn every_answer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let asked = Asked::of(&request);
    let mut response = match cors::preflight(request.method()) {
        Some(response) => response,
        None => in_our_form(next.run(request).await).await,
    };
    cors::let_read(&mut response);
    app.metrics.common.answered(asked, response.status());
    let headers = response.headers_mut();
    answers::guard(headers);
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

/// Errors that are axum's own, such as a query that isn't one, in the form that clients read.
async fn in_our_form(response: Response) -> Response {
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let text = axum::body::to_bytes(response.into_body(), 4096).await;
    let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
    Failure::new(status, text.unwrap_or_default()).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::server::live::RESERVED;

    #[test]
    fn the_description_has_every_route_and_no_other() {
        let ours: BTreeSet<String> = routes()
            .into_iter()
            .flat_map(|(path, methods, _)| {
                methods.iter().map(move |method| format!("{method} {path}"))
            })
            .collect();
        let described = BTreeSet::from_iter(daemon::openapi::described(openapi::TEXT));
        assert_eq!(ours, described);
    }

    #[test]
    fn no_function_can_be_hidden_by_a_path_of_ours() {
        for (path, _, _) in routes() {
            let first = path.split('/').nth(1).unwrap_or_default();
            let is_ours =
                first.is_empty() || first.starts_with('{') || path.matches('/').count() == 1;
            assert!(
                is_ours || RESERVED.contains(&first),
                "{path}: reserve {first}"
            );
        }
    }
}
