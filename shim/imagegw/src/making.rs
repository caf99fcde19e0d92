//! Pulling, as the configuration has it.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::configuration::Configuration;
use crate::pull::{Found, Progress, PullError, PullRequest, Pulled, Puller, Registry, Settings};
use crate::queue::Maker;
use crate::signature::Policy;

/// Whoever pulls for this site. Only its own user can be it, never root.
pub(crate) fn maker(configuration: &Configuration) -> Result<Arc<dyn Maker>> {
    let mut settings = Settings::new(configuration.cache.clone(), configuration.expand.clone());
    for (name, location) in &configuration.locations {
        let registry = Registry {
            url: location.url.clone(),
            authorities: location.authorities.clone(),
            mirrors: location.mirrors.clone(),
        };
        settings.registries.insert(name.clone(), registry);
    }
    if let Some(path) = &configuration.signature_policy {
        settings.policy = Some(Policy::read(path).context("SignaturePolicy")?);
    }
    settings.written = configuration.written.clone();
    settings.bounds.bytes = configuration.limits.image_size;
    settings.most_bytes = configuration.limits.image_size;
    settings.most_cached = configuration.limits.cached;
    Ok(Arc::new(Puller::new(settings)?))
}

impl Maker for Puller {
    fn find(&self, request: &PullRequest) -> Result<Found, PullError> {
        self.look_up(request)
    }

    fn pull(&self, request: &PullRequest, progress: &dyn Progress) -> Result<Pulled, PullError> {
        self.pull(request, progress)
    }
}
