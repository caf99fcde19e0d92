//! The two times at which a sealed bundle is held to its promise: before anything is made, and before what
//! was made starts.

use bundles::promise::{self, Kind};
use oci_spec::runtime::Spec;

use super::cgroup::Placement;
use super::{Bundle, Error, Result, observe};
use crate::policy;

/// An exception holds by being in the spec; that the site allows it, whoever applied the policy has seen.
///
/// # Errors
/// [`Error::NotGranted`], with those that nobody granted.
pub(super) fn only_granted_exceptions(bundle: &Bundle) -> Result<()> {
    let asked = promise::exceptions(&bundle.spec).map_err(policy::Error::from)?;
    let ungranted = asked.iter().filter(|one| !bundle.granted.contains(one));
    let names: Vec<String> = ungranted.map(ToString::to_string).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::NotGranted(names.join(", ")))
}

/// Compares what `spec` says with the promise.
///
/// # Errors
/// [`Error::NotSealed`], with every broken row.
pub(super) fn check(spec: &Spec, kind: Kind) -> Result<()> {
    let report = promise::check(spec, kind);
    if report.is_kept() {
        return Ok(());
    }
    Err(Error::NotSealed(report.summary()))
}

/// Compares the process `pid`, which waits to execute, with what `spec` promises.
///
/// # Errors
/// [`Error::NotObserved`], with every broken row; where something can't be seen.
pub(super) fn observe(pid: i32, cgroup: &Placement, spec: &Spec, kind: Kind) -> Result<()> {
    let observed = observe::observe(pid, cgroup, promise::shares_tasks(spec))?;
    let report = promise::compare(&observed, spec, kind);
    if report.is_kept() {
        return Ok(());
    }
    Err(Error::NotObserved(report.summary()))
}
