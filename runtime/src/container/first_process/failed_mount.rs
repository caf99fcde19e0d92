//! Which mount libcontainer failed to make: its errors don't say, only what it logs does.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use oci_spec::runtime::{Mount, Spec};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::telling;

/// Does `body`, libcontainer's work on `spec`; an error comes with the text to tell, which names the mount where
/// one fails.
pub(super) fn named<T, E: Error + 'static>(
    spec: &Spec,
    body: impl FnOnce() -> Result<T, E>,
) -> Result<T, (E, String)> {
    let ear = Ear::default();
    let done = tracing::subscriber::with_default(ear.clone(), body);
    done.map_err(|error| {
        let heard = ear.heard();
        let mount = heard.and_then(|destination| find(spec, Path::new(&destination)));
        let text = match mount {
            Some(mount) => format!("{}: {}", describe(mount), last_cause(&error)),
            None => telling::line(&error),
        };
        (error, text)
    })
}

fn find<'a>(spec: &'a Spec, destination: &Path) -> Option<&'a Mount> {
    let mut mounts = spec.mounts().iter().flatten();
    mounts.find(|mount| mount.destination() == destination)
}

fn describe(mount: &Mount) -> String {
    let kind = mount.typ().as_deref().unwrap_or("bind");
    let place = mount.destination().display();
    match mount.options().as_deref() {
        None | Some([]) => format!("mount {kind} on {place}"),
        Some(options) => format!("mount {kind} on {place} with {}", options.join(",")),
    }
}

/// What lies at the ground of it: between there are only libcontainer's layers.
fn last_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

/// Hears what libcontainer logs of the mount that it gives up on.
#[derive(Debug, Default, Clone)]
struct Ear(Arc<Mutex<Option<String>>>);

impl Ear {
    fn heard(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR && metadata.target() == "libcontainer::rootfs::mount"
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Message(String::new());
        event.record(&mut text);
        if let Some(destination) = destination_in(&text.0) {
            let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *heard = Some(destination.to_owned());
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// `failed to mount Mount { destination: "/mnt", …`
fn destination_in(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Mount { destination: \"")?;
    rest.split_once('"').map(|(destination, _)| destination)
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_destination_is_read_as_libcontainer_prints_it() {
        let mut mount = Mount::default();
        mount.set_destination("/mnt/x".into());
        let message = format!("failed to mount {mount:?}: syscall");
        assert_eq!(destination_in(&message), Some("/mnt/x"));
        assert_eq!(destination_in("failed to mount cgroup v1: syscall"), None);
    }
}
