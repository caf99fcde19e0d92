//! A look at restored processes before they run on: a criu that doesn't know of a protection restores without it.

use std::fs;

use bundles::promise::{capability_mask, parse_status};
use oci_spec::runtime::Spec;

use super::super::{Error, Result};

/// Where the bounding set stands among the five of /proc/PID/status.
const BOUNDING: usize = 3;

/// Refuses a process that can do more than `spec` lets the container's do.
///
/// # Errors
/// [`Error::Criu`], naming what wasn't restored; where the process can't be looked at.
pub(super) fn verify(pid: i32, spec: &Spec) -> Result<()> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    match lost(&text, spec) {
        None => Ok(()),
        Some(what) => Err(Error::Criu {
            action: "restore",
            reason: format!("process {pid} came back without {what}; hint: a newer criu"),
        }),
    }
}

fn lost(status: &str, spec: &Spec) -> Option<&'static str> {
    let Ok(status) = parse_status(status) else {
        return Some("a status that can be read");
    };
    let process = spec.process().as_ref()?;
    let linux = spec.linux().as_ref();
    if process.no_new_privileges() == Some(true) && !status.no_new_privs {
        return Some("no_new_privs");
    }
    if linux.is_some_and(|linux| linux.seccomp().is_some()) && status.seccomp != 2 {
        return Some("its system call filter");
    }
    let bounding = process
        .capabilities()
        .as_ref()
        .and_then(|sets| sets.bounding().clone());
    let allowed = capability_mask(bounding.unwrap_or_default());
    (status.capabilities[BOUNDING] & !allowed != 0).then_some("its bounding set of capabilities")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(no_new_privs: u8, seccomp: u8, bounding: &str) -> String {
        let own = fs::read_to_string("/proc/self/status").unwrap();
        let changed = own.lines().map(|line| match line.split_once(':') {
            Some(("NoNewPrivs", _)) => format!("NoNewPrivs:\t{no_new_privs}"),
            Some(("Seccomp", _)) => format!("Seccomp:\t{seccomp}"),
            Some(("CapBnd", _)) => format!("CapBnd:\t{bounding}"),
            _ => line.to_owned(),
        });
        changed.map(|line| line + "\n").collect()
    }

    #[test]
    fn what_is_lost_is_named() {
        let spec: Spec = serde_json::from_value(json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": { "uid": 0, "gid": 0 }, "args": ["x"], "cwd": "/", "noNewPrivileges": true,
                "capabilities": { "bounding": ["CAP_KILL"] },
            },
            "root": { "path": "rootfs" },
            "linux": { "seccomp": { "defaultAction": "SCMP_ACT_ALLOW" } },
        }))
        .unwrap();
        let kill = "0000000000000020";
        assert_eq!(lost(&status(1, 2, kill), &spec), None);
        assert_eq!(lost(&status(1, 2, "0000000000000000"), &spec), None);
        assert_eq!(lost(&status(0, 2, kill), &spec), Some("no_new_privs"));
        assert_eq!(
            lost(&status(1, 0, kill), &spec),
            Some("its system call filter")
        );
        let more = "0000000000000021";
        assert_eq!(
            lost(&status(1, 2, more), &spec),
            Some("its bounding set of capabilities")
        );
        assert!(lost("", &spec).is_some());
    }
}
