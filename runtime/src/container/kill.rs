//! Sending signals to a container.

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rustix::process::pidfd_send_signal;

use super::process::{self, is_foreign};
use super::snapshot::{Snapshot, Status};
use super::{Error, Result, members};

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

/// Sends `signal` to the container's first process, or with `all` to every process of it, even when the first
/// is gone. A paused container stays paused and gets it on `resume`, unless it is SIGKILL.
///
/// # Errors
/// [`Error::WrongStatus`] where nothing runs.
pub fn kill(container: &Snapshot, signal: Signal, all: bool) -> Result<()> {
    if all && !container.cgroup.is_anothers() {
        container.cgroup.signal_all(signal)?;
    } else {
        let others = if all { members(container)? } else { vec![] };
        signal_first(container, signal)?;
        for pid in others {
            // Gone in the meantime is as good.
            let _ = nix::sys::signal::kill(Pid::from_raw(pid), signal);
        }
    }
    if signal == Signal::SIGKILL {
        container.cgroup.let_killed_go()?;
    }
    Ok(())
}

fn signal_first(container: &Snapshot, signal: Signal) -> Result<()> {
    let status = container.told_status();
    let has_process = matches!(status, Status::Created | Status::Running | Status::Paused);
    let Some(process) = container.process.filter(|_| has_process) else {
        return Err(Error::WrongStatus {
            id: container.id.clone(),
            wanted: "running",
            status,
        });
    };
    if is_foreign(process) {
        return Err(Error::OtherNamespace(container.id.clone()));
    }
    let descriptor = match process::open(process) {
        // It has ended just now: as good as a signal that came in its last moment.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
        other => other.map_err(Error::step("send the signal"))?,
    };
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
