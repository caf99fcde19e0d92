//! The spec as libcontainer must see it, so that it does what the OCI spec says.
//!
//! Each step is a guard against one difference (the T and C rows of the project's list of libcontainer's
//! traps); what neither libcontainer nor we can do is refused here, never ignored.

use std::collections::HashSet;
use std::path::PathBuf;

use libcontainer::oci_spec::runtime::{Capabilities, LinuxCapabilities, Process, Spec};
use rustix::thread::CapabilitySets;

use super::capabilities::permit_what_is_inheritable;
use super::id_maps::IdMaps;
use super::mount_plan::{PlannedMount, plan};
use super::seccomp::{Role, SystemCallFilter};
use super::security_modules::{has_apparmor, has_selinux};
use super::validate::{validate, validate_process};
use super::{Bundle, Result};

/// A spec for libcontainer, with what was taken out of it for us to do.
#[derive(Debug, Clone)]
pub(super) struct Normalised {
    pub spec: Spec,
    /// The spec's mounts, as planned.
    pub mounts: Vec<PlannedMount>,
    /// The filter of its profile.
    pub filter: Option<SystemCallFilter>,
    /// The process's capabilities, where libcontainer gives it more.
    pub capabilities: Option<CapabilitySets>,
    /// What the bundle calls the cgroup, if it does.
    pub cgroup: Option<PathBuf>,
}

/// Normalises the bundle's spec.
///
/// # Errors
/// [`Error::Config`] and [`Error::Unsupported`], naming the key.
pub(super) fn normalise(bundle: &Bundle, mount_targets: &[PathBuf]) -> Result<Normalised> {
    let mut spec = bundle.spec.clone();
    validate(bundle)?;
    placeholder_process(&mut spec);
    drop_absent_security_modules(&mut spec);
    if bundle.kind.is_none() {
        IdMaps::make_explicit(&mut spec);
    }
    explicit_capabilities(&mut spec);
    plain_propagation(&mut spec);
    paths_once(&mut spec);
    let mounts = planned_mounts(&mut spec, mount_targets, bundle)?;
    let cgroup = named_cgroup(&spec);
    let filter = SystemCallFilter::take(&mut spec, bundle.kind.is_some(), Role::First)?;
    let capabilities = own_capabilities(&mut spec, filter.as_ref());
    Ok(Normalised {
        spec,
        mounts,
        filter,
        capabilities,
        cgroup,
    })
}

/// Normalises the process of `spec`, one that is to join a container which was created already: a spec in
/// which that one has every part explicit, the filter to load, and the capabilities to go back to.
///
/// # Errors
/// As [`normalise`].
pub(super) fn normalise_process(
    spec: &Spec,
    is_sealed: bool,
) -> Result<(Spec, Option<SystemCallFilter>, Option<CapabilitySets>)> {
    let mut spec = spec.clone();
    validate_process(&spec)?;
    drop_absent_security_modules(&mut spec);
    explicit_capabilities(&mut spec);
    let filter = SystemCallFilter::take(&mut spec, is_sealed, Role::Later)?;
    let capabilities = own_capabilities(&mut spec, filter.as_ref());
    Ok((spec, filter, capabilities))
}

/// What is to be gone back to before a filter is loaded; after that the filter sees to it.
fn own_capabilities(spec: &mut Spec, filter: Option<&SystemCallFilter>) -> Option<CapabilitySets> {
    let own = permit_what_is_inheritable(spec);
    own.filter(|_| !filter.is_some_and(SystemCallFilter::restores_capabilities))
}

/// A container may be created without a process; `start` then ends it at once. libcontainer needs one to
/// make the namespaces with.
fn placeholder_process(spec: &mut Spec) {
    if spec.process().is_some() {
        return;
    }
    let mut process = Process::default();
    process
        .set_args(Some(vec![]))
        .set_env(None)
        .set_cwd("/".into())
        .set_capabilities(None)
        .set_rlimits(None)
        .set_terminal(Some(false));
    spec.set_process(Some(process));
}

/// A profile or label of a security module that this kernel doesn't have is ignored, as crun does: engines
/// name one in every bundle. Where the module is there, what can't be applied is refused.
fn drop_absent_security_modules(spec: &mut Spec) {
    if let Some(process) = spec.process_mut() {
        if !has_apparmor() {
            process.set_apparmor_profile(None);
        }
        if !has_selinux() {
            process.set_selinux_label(None);
        }
    }
    if let Some(linux) = spec.linux_mut().as_mut().filter(|_| !has_selinux()) {
        linux.set_mount_label(None);
    }
}

/// Absent capabilities mean "none" to runc and "all" to libcontainer (T1).
fn explicit_capabilities(spec: &mut Spec) {
    let Some(process) = spec.process_mut() else {
        return;
    };
    let given = process.capabilities().clone();
    let set = |of: fn(&LinuxCapabilities) -> &Option<Capabilities>| {
        Some(
            given
                .as_ref()
                .and_then(|given| of(given).clone())
                .unwrap_or_default(),
        )
    };
    let mut capabilities = LinuxCapabilities::default();
    capabilities
        .set_bounding(set(LinuxCapabilities::bounding))
        .set_effective(set(LinuxCapabilities::effective))
        .set_inheritable(set(LinuxCapabilities::inheritable))
        .set_permitted(set(LinuxCapabilities::permitted))
        .set_ambient(set(LinuxCapabilities::ambient));
    process.set_capabilities(Some(capabilities));
    // `false` is what absence means, and some of libcontainer's checks are for presence (T8, C7).
    if process.no_new_privileges() == Some(false) {
        process.set_no_new_privileges(None);
    }
}

/// libcontainer looks for an absent HOME with getpwuid(3), inside the container and as this program: that
/// loads what the image's own nsswitch.conf(5) names, as in CVE-2019-14271. So its copy of the spec gets one; the
/// command's environment doesn't come from that.
pub(super) fn home_that_need_not_be_looked_up(spec: &mut Spec) {
    if let Some(process) = spec.process_mut() {
        let mut environment = process.env().clone().unwrap_or_default();
        let is_home = |entry: &String| {
            entry
                .strip_prefix("HOME=")
                .is_some_and(|home| !home.is_empty())
        };
        // The last one counts.
        let last = environment.iter().rfind(|entry| entry.starts_with("HOME="));
        if !last.is_some_and(is_home) {
            environment.push("HOME=/".to_owned());
            process.set_env(Some(environment));
        }
    }
}

fn planned_mounts(
    spec: &mut Spec,
    targets: &[PathBuf],
    bundle: &Bundle,
) -> Result<Vec<PlannedMount>> {
    let planned = plan(spec, targets, &bundle.rootfs, bundle.kind.is_some())?;
    let mounts = planned.iter().map(|planned| planned.mount.clone());
    spec.set_mounts(Some(mounts.collect()));
    Ok(planned)
}

/// A path that is listed twice would be mounted on twice.
fn paths_once(spec: &mut Spec) {
    let Some(linux) = spec.linux_mut() else {
        return;
    };
    let once = |paths: &Option<Vec<String>>| {
        let mut seen = HashSet::new();
        let paths = paths.clone()?.into_iter();
        Some(paths.filter(|path| seen.insert(path.clone())).collect())
    };
    let (masked, read_only) = (once(linux.masked_paths()), once(linux.readonly_paths()));
    linux.set_masked_paths(masked).set_readonly_paths(read_only);
}

/// libcontainer knows `slave` but not `rslave`, though it applies all of them recursively (C1).
fn plain_propagation(spec: &mut Spec) {
    let Some(linux) = spec.linux_mut() else {
        return;
    };
    if let Some(plain) = linux
        .rootfs_propagation()
        .as_deref()
        .and_then(|name| name.strip_prefix('r'))
        .map(str::to_owned)
    {
        linux.set_rootfs_propagation(Some(plain));
    }
}

/// The cgroup that the bundle names; an empty name is none.
fn named_cgroup(spec: &Spec) -> Option<PathBuf> {
    let linux = spec.linux().as_ref();
    let path = linux.and_then(|linux| linux.cgroups_path().clone());
    path.filter(|path| !path.as_os_str().is_empty())
}
