//! The flags of seccomp(2).

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompFilterFlag};

use super::error::SeccompError;
use super::policy::Rules;
use super::simulate::Decision;

/// With what to load a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// `SECCOMP_FILTER_FLAG_*` as bits.
    pub bits: u32,
    /// Whether a listener decides on some calls: its descriptor is what loading gives.
    pub has_listener: bool,
}

const LOG: u32 = 1 << 1;
const SPEC_ALLOW: u32 = 1 << 2;
pub(super) const NEW_LISTENER: u32 = 1 << 3;
pub(super) const WAIT_KILLABLE_RECV: u32 = 1 << 5;

impl Flags {
    /// The flags of a profile.
    ///
    /// * `TSYNC` is of no use: a container's process loads its filter while it has one thread.
    /// * `WAIT_KILLABLE_RECV` is for a listener: without one the kernel would refuse it.
    /// * A profile without a list of flags gets `SPEC_ALLOW`, as from runc (1.2) and crun. Since Linux 5.16 it
    ///   has no effect unless the host was started with a stricter `spec_store_bypass_disable`.
    ///
    /// # Errors
    /// [`SeccompError::NoListener`].
    pub(super) fn of(profile: &LinuxSeccomp, rules: &Rules) -> Result<Self, SeccompError> {
        let has_listener = rules.use_action(Decision::Notify);
        let has_path = profile
            .listener_path()
            .as_ref()
            .is_some_and(|path| !path.as_os_str().is_empty());
        if has_listener && !has_path {
            return Err(SeccompError::NoListener);
        }
        let mut bits = if has_listener { NEW_LISTENER } else { 0 };
        let Some(flags) = profile.flags() else {
            bits |= SPEC_ALLOW;
            return Ok(Self { bits, has_listener });
        };
        for flag in flags {
            bits |= match flag {
                LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 0,
                LinuxSeccompFilterFlag::SeccompFilterFlagLog => LOG,
                LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => SPEC_ALLOW,
                LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv if has_listener => {
                    WAIT_KILLABLE_RECV
                }
                LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => 0,
            };
        }
        Ok(Self { bits, has_listener })
    }
}
