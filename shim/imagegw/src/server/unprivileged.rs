//! The gateway unpacks what strangers made: whoever does that shall have no right that could be taken from it.

use std::fs;

use anyhow::{Context, Result, bail};
use nix::unistd::{geteuid, getuid};

/// Refuses to go on as root or with a capability, and gives up gaining any.
///
/// # Errors
/// Where there is one.
pub fn must_be() -> Result<()> {
    if geteuid().is_root() || getuid().is_root() {
        bail!(
            "refused as root: images are strangers' work; hint: setpriv --reuid shifter --regid shifter --init-groups shifter-imagegw …"
        );
    }
    let path = "/proc/self/status";
    let status = fs::read_to_string(path).with_context(|| format!("read {path}"))?;
    for set in ["CapPrm:", "CapEff:"] {
        let line = status.lines().find_map(|line| line.strip_prefix(set));
        let digits = line.with_context(|| format!("{path} has no {set}"))?.trim();
        if digits.bytes().any(|digit| digit != b'0') {
            bail!("refused with capabilities ({set} {digits}): images are strangers' work");
        }
    }
    rustix::thread::set_no_new_privs(true).context("set no_new_privs")
}
