//! How many sandboxes may be ready at once, whatever the commands ask for.

use bundles::opt_server::Identity;
use nix::unistd::geteuid;

use super::super::live::Configuration;

/// As many: `max-ready`, but where executions get their ids from a configured range, no id that those need which run
/// at once. For whoever isn't root none: nobody else can mount a project into a sandbox that is made.
pub(super) fn most(now: &Configuration) -> usize {
    if !geteuid().is_root() {
        return 0;
    }
    let settings = &now.settings;
    let range = now.config.extensions.identity;
    let ids = range.map_or(usize::MAX, |range| {
        let slots = usize::try_from(Identity::slots(range)).unwrap_or(usize::MAX);
        slots.saturating_sub(settings.max_running)
    });
    settings.max_ready.min(ids)
}
