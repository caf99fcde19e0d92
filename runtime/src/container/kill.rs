//! Sending signals to a container.

use nix::sys::signal::Signal;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use super::process::{is_alive, is_foreign};
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
    let gone = || Error::step("send the signal")(std::io::Error::from_raw_os_error(libc::ESRCH));
    let pid = Pid::from_raw(process.pid).ok_or_else(gone)?;
    let descriptor =
        pidfd_open(pid, PidfdFlags::empty()).map_err(Error::step("open the process"))?;
    // The descriptor now holds the process; if it is still the container's, it can't become another.
    if !is_alive(process) {
        return Err(gone());
    }
    let signal = rustix::process::Signal::from_named_raw(signal as i32).ok_or_else(gone)?;
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
