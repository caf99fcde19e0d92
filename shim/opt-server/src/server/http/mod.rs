//! The server's face: HTTP/1.1 over TLS, with the Functions API, the API for command lines, and a page.

mod auth;
mod body;
mod commands_api;
mod cors;
mod describe;
mod ending;
mod error;
mod events;
mod executions_api;
mod files;
mod functions_api;
mod health;
mod inputs;
mod keys_api;
mod openapi;
mod pages;
mod routes;

pub use routes::router;

use std::sync::Arc;

use axum::extract::State;

use super::App;

/// How handlers get at everything.
type Server = State<Arc<App>>;
