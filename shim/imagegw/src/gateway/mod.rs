//! What users ask for, decided: every route's work, without HTTP.

mod delete;
mod expire;
mod failure;
mod import;
mod list;
mod lookup;
mod pull;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use failure::{Failure, Reason};
pub use import::Import;
pub use list::Waiting;
pub use lookup::seconds;
pub use pull::{Answer, Wanted};

use crate::auth::{Authenticator, Rates, Session};
use crate::configuration::{Configuration, Platform};
use crate::queue::{Maker, Queue};
use crate::server::Metrics;
use crate::state::{Kind, Name, State};

/// Everything that requests and workers work on.
pub struct Gateway {
    /// The site's word.
    pub configuration: Configuration,
    /// Images, pulls and lookups.
    pub state: State,
    /// Recognises callers.
    pub authenticator: Authenticator,
    /// How often they may ask.
    pub rates: Rates,
    /// What workers have to do.
    pub queue: Queue,
    /// Fetches and converts.
    pub maker: Arc<dyn Maker>,
    /// Counters.
    pub metrics: Metrics,
    /// Whether the gateway is about to end: nothing new is begun.
    pub is_draining: AtomicBool,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("state", &self.configuration.state)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// A system of the site's.
    ///
    /// # Errors
    /// Where there is none of this name.
    pub fn platform(&self, system: &str) -> Result<&Platform, Failure> {
        let platforms = &self.configuration.platforms;
        platforms
            .get(system)
            .ok_or_else(|| Failure::unknown(format!("there is no system {system:?}")))
    }

    /// Whether `session` administers `system`: its name is one of the list, whole.
    pub fn is_admin(&self, session: &Session, system: &str) -> bool {
        let platform = self.configuration.platforms.get(system);
        platform.is_some_and(|platform| platform.admins.contains(&session.user))
    }

    /// What a request calls an image.
    fn name(&self, system: &str, kind: &str, tag: &str) -> Result<Name, Failure> {
        self.platform(system)?;
        let kind = Kind::of(kind).ok_or_else(|| {
            Failure::unknown(format!("type {kind:?} is neither docker nor custom"))
        })?;
        let tag = match tag.contains([':', '@']) {
            true => tag.to_owned(),
            false => format!("{tag}:latest"),
        };
        if tag.len() > 512 || !tag.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::bad("the tag isn't one"));
        }
        Ok(Name {
            system: system.to_owned(),
            kind,
            tag,
        })
    }

    fn must_not_drain(&self) -> Result<(), Failure> {
        match self.is_draining.load(Ordering::SeqCst) {
            true => Err(Failure::unavailable(
                "the gateway is about to end; try again later",
            )),
            false => Ok(()),
        }
    }
}
