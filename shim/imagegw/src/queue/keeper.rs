//! What happens by itself: lookups are written down, overdue images go, old failures are forgotten.

use crate::gateway::Gateway;
use crate::state::{Change, Memory, Status, now};

/// Does all of it once.
pub fn keep(gateway: &Gateway) {
    if let Err(error) = gateway.state.save() {
        tracing::error!(error = %runtime::telling::line(&error), "can't write lookups");
    }
    let update = u64::try_from(gateway.configuration.pull_update.as_millis()).unwrap_or(u64::MAX);
    let forgotten = gateway
        .state
        .change(|memory, _| (old_failures(memory, update), ()));
    if let Err(error) = forgotten {
        tracing::error!(error = %runtime::telling::line(&error), "can't forget failures");
    }
    for system in gateway.configuration.platforms.keys() {
        // Its failure was logged.
        let _ = gateway.expire_overdue(system);
    }
}

fn old_failures(memory: &Memory, update: u64) -> Vec<Change> {
    let now = now();
    let failures = memory
        .pulls()
        .filter(|pull| pull.status == Status::Failure)
        .filter(|pull| now.saturating_sub(pull.last_pull) > update);
    failures.map(|pull| Change::NoPull(pull.number)).collect()
}
