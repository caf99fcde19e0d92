//! A container's state before anything of it is made.

use libcontainer::oci_spec::runtime::LinuxNamespaceType;
use nix::unistd::geteuid;

use super::cgroup::Placement;
use super::create::CreateOptions;
use super::process::ProcessId;
use super::snapshot::{FORMAT, Snapshot, Status};
use super::{Bundle, Error, Result, callers_mounts, namespaces};

/// That of the container `id`, which is about to be created.
///
/// # Errors
/// Where this process, or the caller's mounts, can't be looked at.
pub(super) fn first_snapshot(
    id: &str,
    bundle: &Bundle,
    cgroup: Placement,
    options: &CreateOptions,
) -> Result<Snapshot> {
    let creator = ProcessId::current().map_err(Error::step("look at this process"))?;
    Ok(Snapshot {
        format: FORMAT,
        id: id.to_owned(),
        status: Status::Creating,
        process: None,
        creator,
        supervisor: options.supervised.then_some(creator),
        bundle: bundle.directory.clone(),
        rootfs: bundle.rootfs.clone(),
        oci_version: bundle.spec.version().clone(),
        annotations: bundle.spec.annotations().clone().unwrap_or_default(),
        has_pid_namespace: namespaces::is_new(&bundle.spec, LinuxNamespaceType::Pid),
        cgroup,
        mounts_before: mounts_before(bundle)?,
        started: None,
        hooks: bundle.spec.hooks().clone(),
        created: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Nanos, true),
        owner: geteuid().as_raw(),
    })
}

fn mounts_before(bundle: &Bundle) -> Result<Option<Vec<u64>>> {
    if namespaces::is_listed(&bundle.spec, LinuxNamespaceType::Mount) {
        return Ok(None);
    }
    callers_mounts::at(&bundle.rootfs).map(Some)
}
