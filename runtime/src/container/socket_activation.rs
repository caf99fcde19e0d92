//! Sockets that a service manager gave the runtime for its container: sd_listen_fds(3).

use oci_spec::runtime::Spec;

use super::guardian::early;
use super::{Error, Result};
use crate::sys::remove_variable;

/// How many descriptors from 3 on are such sockets, ahead of those that the caller wants preserved: as many as
/// `LISTEN_FDS` says, where `LISTEN_PID` says that they are for this process and not for one before it.
pub fn activated_sockets() -> u16 {
    let variable = |name| std::env::var(name).ok();
    count(
        variable("LISTEN_PID").as_deref(),
        variable("LISTEN_FDS").as_deref(),
        early::called().map_or_else(std::process::id, |called| called.as_raw().cast_unsigned()),
    )
}

fn count(pid: Option<&str>, sockets: Option<&str>, own: u32) -> u16 {
    let is_ours = pid.is_some_and(|pid| pid.parse() == Ok(own));
    let sockets = sockets.filter(|_| is_ours);
    sockets.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Tells the process of `spec` about them, as runc and crun do: the first process of a container is the one
/// that they are for.
///
/// # Errors
/// [`Error::Unsupported`] for a sealed bundle, whose process inherits nothing that isn't named.
pub(super) fn announce(spec: &mut Spec, sockets: u16, is_sealed: bool) -> Result<()> {
    let Some(process) = spec.process_mut().as_mut().filter(|_| sockets > 0) else {
        return Ok(());
    };
    if is_sealed {
        return Err(Error::unsupported(
            "LISTEN_FDS with a sealed bundle",
            "its promise is that no descriptor is inherited; hint: --preserve-fds names those that are",
        ));
    }
    let mut env = process.env().clone().unwrap_or_default();
    env.push(format!("LISTEN_FDS={sockets}"));
    env.push("LISTEN_PID=1".to_owned());
    process.set_env(Some(env));
    Ok(())
}

/// Keeps libcontainer from counting the sockets once more: it doesn't look whose they are.
pub(super) fn forget() {
    remove_variable("LISTEN_FDS");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_for_another_process_are_none() {
        for (pid, sockets, expected) in [
            (Some("7"), Some("2"), 2),
            (Some("8"), Some("2"), 0),
            (None, Some("2"), 0),
            (Some("7"), None, 0),
            (Some("7"), Some("-1"), 0),
            (Some("7"), Some("x"), 0),
            (Some("x"), Some("2"), 0),
        ] {
            assert_eq!(count(pid, sockets, 7), expected, "{pid:?} {sockets:?}");
        }
    }
}
