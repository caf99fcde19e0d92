//! Who asks: the key in the `Authorization` header.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::error::Failure;
use crate::server::App;
use crate::server::execution::Execution;
use crate::server::keys::{Caller, Key};

/// A caller whose key is known.
#[derive(Debug)]
pub struct Authenticated(pub Caller);

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let secret = bearer(parts).ok_or_else(|| {
            Failure::unauthorized("a key is needed: \"Authorization: Bearer apikey_…\"")
        })?;
        app.keys
            .who(secret)?
            .map(Self)
            .ok_or_else(|| Failure::unauthorized("this key is not known"))
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

impl Authenticated {
    /// The API key; the master key administers, and executes nothing.
    pub fn key(&self) -> Result<&Key, Failure> {
        match &self.0 {
            Caller::Key(key) if !key.metrics => Ok(key),
            Caller::Key(_) => Err(Failure::forbidden(
                "this key reads metrics and nothing else",
            )),
            Caller::Master => Err(Failure::forbidden(
                "this needs an API key: the master key administers, and executes nothing",
            )),
        }
    }

    /// Refuses all but the master key.
    pub fn is_master(&self) -> Result<(), Failure> {
        match &self.0 {
            Caller::Master => Ok(()),
            Caller::Key(_) => Err(Failure::forbidden("this needs the master key")),
        }
    }

    /// Whether metrics may be told.
    pub fn reads_metrics(&self) -> bool {
        match &self.0 {
            Caller::Master => true,
            Caller::Key(key) => key.metrics,
        }
    }

    /// Whether it may know of an execution.
    pub fn sees(&self, execution: &Execution) -> bool {
        match &self.0 {
            Caller::Master => true,
            Caller::Key(key) => !key.metrics && key.id == execution.owner,
        }
    }

    /// Whether it may know of the function `name`.
    pub fn knows(&self, name: &str) -> bool {
        match &self.0 {
            Caller::Master => true,
            Caller::Key(key) => key.calls(name),
        }
    }

    /// The execution `id`, if there is one that it may know of.
    pub fn execution(&self, app: &App, id: &str) -> Result<Execution, Failure> {
        app.registry
            .get(id)
            .filter(|execution| self.sees(execution))
            .ok_or_else(|| Failure::unknown(format!("there is no execution {id:?}")))
    }
}
