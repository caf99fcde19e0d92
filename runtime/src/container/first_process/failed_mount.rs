//! Which mount libcontainer failed to make, or which kernel parameter to set: its errors don't say, only what it
//! logs does.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use oci_spec::runtime::{Mount, Spec};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::telling;

/// Does `body`, libcontainer's work on `spec`; an error comes with the text to tell, which names the mount or the
/// parameter where one fails.
pub(super) fn named<T, E: Error + 'static>(
    spec: &Spec,
    body: impl FnOnce() -> Result<T, E>,
) -> Result<T, (E, String)> {
    let ear = Ear::default();
    let done = tracing::subscriber::with_default(ear.clone(), body);
    done.map_err(|error| {
        let heard = ear.heard();
        let mount = heard
            .mount
            .and_then(|destination| find(spec, Path::new(&destination)));
        let whole = telling::line(&error);
        let text = match (mount, heard.parameter) {
            (Some(mount), _) => format!("{}: {}", describe(mount), last_cause(&error)),
            (None, Some(name)) if is_of_parameter(&whole, &name) => {
                format!("linux.sysctl.{name}: {}", reason_in(&last_cause(&error)))
            }
            _ => whole,
        };
        (error, text)
    })
}

/// Whether an error is that the parameter last heard of couldn't be opened or written.
fn is_of_parameter(error: &str, name: &str) -> bool {
    let path = format!("\"sys/{}\"", name.replace('.', "/"));
    error.contains("failed to set sysctl") || error.contains(&path)
}

/// The kernel's word, behind the call with all its arguments.
fn reason_in(cause: &str) -> &str {
    cause.rsplit_once("): ").map_or(cause, |(_, reason)| reason)
}

fn find<'a>(spec: &'a Spec, destination: &Path) -> Option<&'a Mount> {
    let mut mounts = spec.mounts().iter().flatten();
    mounts.find(|mount| mount.destination() == destination)
}

/// A mount as errors call it.
pub(in crate::container) fn describe(mount: &Mount) -> String {
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

/// Hears what libcontainer logs of the mount that it gives up on, and of the parameters that it sets.
#[derive(Debug, Default, Clone)]
struct Ear(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    /// The destination of the last mount that failed.
    mount: Option<String>,
    /// The last kernel parameter that was to be set.
    parameter: Option<String>,
}

impl Ear {
    fn heard(&self) -> Heard {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match metadata.target() {
            "libcontainer::rootfs::mount" => *metadata.level() == Level::ERROR,
            "libcontainer::process::init::process" => *metadata.level() == Level::DEBUG,
            _ => false,
        }
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Message(String::new());
        event.record(&mut text);
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(destination) = destination_in(&text.0) {
            heard.mount = Some(destination.to_owned());
        }
        if let Some(name) = parameter_in(&text.0) {
            heard.parameter = Some(name.to_owned());
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

/// `apply value 1 to kernel parameter net.ipv4.ip_forward.`
fn parameter_in(message: &str) -> Option<&str> {
    let (_, name) = message.rsplit_once(" to kernel parameter ")?;
    name.strip_suffix('.')
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

    #[test]
    fn a_parameter_is_read_as_libcontainer_prints_it() {
        let name = "net.ipv4.ip_forward";
        let message = format!("apply value x to kernel parameter {name}.");
        assert_eq!(parameter_in(&message), Some(name));
        let call =
            "openat2([11]<\"/\">, \"sys/net/ipv4/ip_forward\", { flags: (X) }, 24): No such file";
        assert!(is_of_parameter(call, name) && !is_of_parameter(call, "net.ipv4.ip"));
        assert_eq!(reason_in(call), "No such file");
        assert_eq!(reason_in("Invalid argument"), "Invalid argument");
    }
}
