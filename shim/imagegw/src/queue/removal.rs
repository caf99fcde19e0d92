//! Removing an image's files: what makes it an image first.

use std::time::Instant;

use super::transfer::Target;
use crate::gateway::Gateway;
use crate::state::{Change, Status};

/// Removes the files of an image that is EXPIRING. What can't be removed stays EXPIRING, and is tried again at the next
/// start.
pub(super) fn remove(gateway: &Gateway, system: &str, id: &str) {
    let _held = gateway.queue.hold(system, id);
    let image = gateway.state.see(|memory| memory.image(system, id));
    let Some(image) = image.filter(|image| image.status == Status::Expiring) else {
        // It was pulled again meanwhile.
        return;
    };
    let (began, most) = (Instant::now(), gateway.configuration.limits.pull_time);
    let should_stop = || gateway.queue.is_closed() || began.elapsed() > most;
    let Some(target) = Target::of(gateway, system, &should_stop) else {
        return;
    };
    if let Err(error) = target.remove(id, image.format) {
        tracing::error!(system, id, error = %runtime::telling::line(&error), "can't remove an image");
        return;
    }
    let written = gateway.state.change(|memory, _| {
        let Some(image) = memory.image(system, id) else {
            return (vec![], ());
        };
        let mut gone = (*image).clone();
        gone.status = Status::Expired;
        (vec![Change::Image(Box::new(gone))], ())
    });
    match written {
        Ok(()) => {
            gateway.metrics.ended(Status::Expired);
            tracing::info!(system, id, "expired");
        }
        Err(error) => {
            tracing::error!(system, id, error = %runtime::telling::line(&error), "can't write a removal");
        }
    }
}
