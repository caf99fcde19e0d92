//! Who asks: the key in the `Authorization` header.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::error::Failure;
use bundles::opt_server::config::Config;

use crate::server::App;
use crate::server::execution::Execution;
use crate::server::keys::{Caller, Key};

/// A caller whose key is known.
#[derive(Debug)]
pub struct Authenticated {
    /// Who it is.
    pub caller: Caller,
    /// What the user group allows besides.
    pub rights: Rights,
}

/// What a user group allows its members.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rights {
    /// To read metrics.
    pub monitoring: bool,
    /// To see, stop and delete everybody's executions.
    pub admin: bool,
}

impl Rights {
    fn of(caller: &Caller, config: &Config) -> Self {
        match caller {
            Caller::Key(key) if key.has_rights() => {
                let group = config.user_group(key.user());
                group.map_or_else(Self::default, |group| Self {
                    monitoring: group.monitoring_rights,
                    admin: group.admin_rights,
                })
            }
            Caller::Key(_) | Caller::Master => Self::default(),
        }
    }
}

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let secret = bearer(parts).ok_or_else(|| {
            Failure::unauthorized("a key is needed: \"Authorization: Bearer apikey_…\"")
        })?;
        let caller = app.keys.who(secret)?;
        let caller = caller.ok_or_else(|| Failure::unauthorized("this key is not known"))?;
        Ok(Self {
            rights: Rights::of(&caller, &app.live.now().config),
            caller,
        })
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
        match &self.caller {
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
        match &self.caller {
            Caller::Master => Ok(()),
            Caller::Key(_) => Err(Failure::forbidden("this needs the master key")),
        }
    }

    /// Whether metrics may be told.
    pub fn reads_metrics(&self) -> bool {
        match &self.caller {
            Caller::Master => true,
            Caller::Key(key) => key.metrics || self.rights.monitoring,
        }
    }

    /// Whether it may know of an execution.
    pub fn sees(&self, execution: &Execution) -> bool {
        match &self.caller {
            Caller::Master => true,
            Caller::Key(key) => !key.metrics && (self.rights.admin || key.id == execution.owner),
        }
    }

    /// Whether it may know of the function `name`.
    pub fn knows(&self, name: &str) -> bool {
        match &self.caller {
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
