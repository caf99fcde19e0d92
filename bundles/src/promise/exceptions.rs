//! What a bundle asks to keep of what its promise takes away, one annotation each. Whether it gets it is the
//! site's to say: the runtime refuses a bundle with an exception that the site doesn't allow.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use oci_spec::runtime::{Capability, LinuxNamespaceType, Spec};

use super::spec_view::{is_plain_path, namespaces};

/// Prefix of the annotations that ask for an exception; which one follows it. The value is the reason.
pub const EXCEPTION_ANNOTATION: &str = "org.opt-runtime.exception.";

/// One thing that a promise would take away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exception {
    /// `capability.CAP_NAME`: this capability.
    Capability(Capability),
    /// `root`: to be root on the host, without any capability.
    Root,
    /// `device./dev/NAME`: this device of `linux.devices`.
    Device(PathBuf),
    /// `system-call.NAME`: this system call, whatever its arguments.
    SystemCall(String),
    /// `host-network`: the host's network namespace in the place of one of its own.
    HostNetwork,
    /// `shared-tasks`: the pid and user namespaces that the tasks of one parallel program share, in the place of ones of
    /// its own. Shifter's containers only.
    SharedTasks,
}

/// A bundle asks for an exception that this version doesn't know; such a bundle must not start.
#[derive(Debug, thiserror::Error)]
#[error(
    "exception \"{0}\" is not one this version knows (capability.CAP_NAME, root, device./dev/NAME, system-call.NAME, host-network, shared-tasks)"
)]
pub struct UnknownException(String);

impl Exception {
    /// The row of the promise that it is an exception to.
    pub fn protection(&self) -> &'static str {
        match self {
            Self::Capability(_) => "no privilege",
            Self::Root => "nobody",
            Self::Device(_) => "no devices",
            Self::SystemCall(_) => "few system calls",
            Self::HostNetwork | Self::SharedTasks => "own world",
        }
    }
}

impl FromStr for Exception {
    type Err = UnknownException;

    fn from_str(text: &str) -> Result<Self, UnknownException> {
        let unknown = || UnknownException(text.to_owned());
        if text == "root" {
            return Ok(Self::Root);
        }
        if text == "host-network" {
            return Ok(Self::HostNetwork);
        }
        if text == "shared-tasks" {
            return Ok(Self::SharedTasks);
        }
        match text.split_once('.').ok_or_else(unknown)? {
            ("capability", name) => {
                let plain = name.strip_prefix("CAP_").ok_or_else(unknown)?;
                let capability = plain.parse().map_err(|_| unknown())?;
                Ok(Self::Capability(capability))
            }
            ("device", path) if path.starts_with("/dev/") && is_plain_path(Path::new(path)) => {
                Ok(Self::Device(path.into()))
            }
            ("system-call", name) if !name.is_empty() => Ok(Self::SystemCall(name.to_owned())),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capability(capability) => write!(f, "capability.CAP_{capability}"),
            Self::Root => f.write_str("root"),
            Self::HostNetwork => f.write_str("host-network"),
            Self::SharedTasks => f.write_str("shared-tasks"),
            Self::Device(path) => write!(f, "device.{}", path.display()),
            Self::SystemCall(name) => write!(f, "system-call.{name}"),
        }
    }
}

/// The exceptions that `spec` asks for, sorted by their text.
///
/// # Errors
/// [`UnknownException`] where an annotation asks for something else.
pub fn exceptions(spec: &Spec) -> Result<Vec<Exception>, UnknownException> {
    let annotations = spec.annotations().iter().flatten();
    let mut asked: Vec<&str> = annotations
        .filter_map(|(key, _)| key.strip_prefix(EXCEPTION_ANNOTATION))
        .collect();
    asked.sort_unstable();
    asked.into_iter().map(str::parse).collect()
}

/// The same for the rows: a bundle with an unknown one isn't run at all.
pub(super) fn known(spec: &Spec) -> Vec<Exception> {
    exceptions(spec).unwrap_or_default()
}

pub(super) fn capabilities(spec: &Spec) -> Vec<Capability> {
    let capability = |exception| match exception {
        Exception::Capability(capability) => Some(capability),
        _ => None,
    };
    known(spec).into_iter().filter_map(capability).collect()
}

pub(super) fn system_calls(spec: &Spec) -> Vec<String> {
    let system_call = |exception| match exception {
        Exception::SystemCall(name) => Some(name),
        _ => None,
    };
    known(spec).into_iter().filter_map(system_call).collect()
}

/// Whether `spec` asks for the host's network, and for no other in its place.
pub(super) fn has_host_network(spec: &Spec) -> bool {
    let is_absent = namespaces(spec).all(|(typ, _)| typ != LinuxNamespaceType::Network);
    is_absent && known(spec).contains(&Exception::HostNetwork)
}

/// Whether `spec` asks for namespaces that tasks share.
pub(super) fn has_shared_tasks(spec: &Spec) -> bool {
    known(spec).contains(&Exception::SharedTasks)
}

pub(super) fn devices(spec: &Spec) -> Vec<PathBuf> {
    let device = |exception| match exception {
        Exception::Device(path) => Some(path),
        _ => None,
    };
    known(spec).into_iter().filter_map(device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_read_and_written_alike() {
        for text in [
            "root",
            "host-network",
            "shared-tasks",
            "capability.CAP_NET_BIND_SERVICE",
            "device./dev/dri/card0",
            "system-call.io_uring_setup",
        ] {
            let exception: Exception = text.parse().unwrap();
            assert_eq!(exception.to_string(), text);
        }
        for text in [
            "",
            "Root",
            "capability",
            "capability.NET_BIND_SERVICE",
            "capability.CAP_EVERYTHING",
            "device./etc/shadow",
            "device./dev/../etc/shadow",
            "device.null",
            "system-call.",
            "all",
        ] {
            let error = text.parse::<Exception>().unwrap_err();
            assert!(
                error.to_string().contains(&format!("\"{text}\"")),
                "{error}"
            );
        }
    }
}
