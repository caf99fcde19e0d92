//! HTTP: Shifter's routes below `/api/`, ours below `/v2/`, and a page of the queue for browsers.

mod asked;
mod error;
mod openapi;
mod page;
mod record;
mod routes;
mod shifter;
mod upload;
mod v2;

pub use routes::router;

use std::sync::Arc;

use axum::extract::State;

use crate::gateway::Gateway;

/// How handlers get at everything.
type Server = State<Arc<Gateway>>;
