//! Sending signals to a container.

use nix::sys::signal::Signal;
use rustix::process::pidfd_send_signal;

use super::process::{self, is_foreign};
use super::snapshot::{Snapshot, Status};
use super::{Error, Result};

/// A signal by number or name, with or without `SIG`, in either case.
///
/// # Errors
/// [`Error::UnknownSignal`].
pub fn parse_signal(text: &str) -> Result<Signal> {
    let unknown = || Error::UnknownSignal(text.to_owned());
    if let Ok(number) = text.parse::<i32>() {
        return Signal::try_from(number).map_err(|_| unknown());
    }
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") {
        upper
    } else {
        format!("SIG{upper}")
    };
    name.parse().map_err(|_| unknown())
}

/// Sends `signal` to the container's first process, or with `all` to every process in its cgroup.
///
/// # Errors
/// [`Error::WrongStatus`] where nothing runs.
pub fn kill(container: &Snapshot, signal: Signal, all: bool) -> Result<()> {
    let status = container.status();
    if all && !container.made_cgroup.is_empty() {
        return container.made_cgroup.signal_all(signal);
    }
    let (Status::Created | Status::Running, Some(process)) = (status, container.process) else {
        return Err(Error::WrongStatus {
            id: container.id.clone(),
            wanted: "running",
            status,
        });
    };
    if is_foreign(process) {
        return Err(Error::OtherNamespace(container.id.clone()));
    }
    let descriptor = process::open(process).map_err(Error::step("send the signal"))?;
    let unknown = || Error::UnknownSignal(signal.to_string());
    let signal = rustix::process::Signal::from_named_raw(signal as i32).ok_or_else(unknown)?;
    pidfd_send_signal(&descriptor, signal).map_err(Error::step("send the signal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_several_spellings() {
        for text in ["9", "KILL", "SIGKILL", "kill", "sigkill"] {
            assert_eq!(parse_signal(text).unwrap(), Signal::SIGKILL, "{text}");
        }
        for text in ["", "SIG", "0x9", "-1", "99", "SIGSIGKILL", "KILL "] {
            assert!(parse_signal(text).is_err(), "{text}");
        }
    }
}
