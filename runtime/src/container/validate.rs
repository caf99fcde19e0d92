//! What a spec may not ask for: refused here by name, before anything is made.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;

use libcontainer::oci_spec::runtime::{LinuxNamespaceType, Process, Spec};
use libcontainer::validator::Validator;
use nix::unistd::geteuid;

use super::security_modules::has_selinux;
use super::{Bundle, Error, Result, namespaces};

/// Refuses a spec that contradicts itself or asks for what neither libcontainer nor we can do.
///
/// # Errors
/// [`Error::Config`] and [`Error::Unsupported`], naming the key.
pub(super) fn validate(bundle: &Bundle) -> Result<()> {
    let spec = &bundle.spec;
    let invalid = |reason: String| Error::Config {
        path: bundle.directory.join("config.json"),
        reason,
    };
    if spec.linux().is_none() {
        return Err(invalid("linux is absent".to_owned()));
    }
    if let Some(process) = spec.process() {
        process_is_whole(process).map_err(|reason| invalid(reason.to_owned()))?;
        process_is_possible(process)?;
    }
    if let Some(twice) = namespace_listed_twice(spec) {
        return Err(invalid(format!(
            "linux.namespaces lists \"{twice}\" more than once"
        )));
    }
    if spec
        .linux()
        .as_ref()
        .is_some_and(|linux| linux.intel_rdt().is_some())
    {
        return Err(Error::unsupported(
            "linux.intelRdt",
            "this version leaves cache and bandwidth allocation to the host",
        ));
    }
    has_user_namespace_if_needed(spec)?;
    mounts_stay_in_the_container(spec)?;
    // Host and domain name, sysctls and mappings that would be the host's, scheduler and I/O priority.
    Validator::validate_spec(spec).map_err(|error| invalid(error.to_string()))
}

fn process_is_whole(process: &Process) -> Result<(), &'static str> {
    if process.args().as_ref().is_none_or(Vec::is_empty) {
        return Err("process.args is absent or empty");
    }
    if !process.cwd().is_absolute() {
        return Err("process.cwd must be an absolute path");
    }
    let strings = process.args().iter().chain(process.env()).flatten();
    if strings.into_iter().any(|text| text.contains('\0')) {
        return Err("process.args and process.env must not hold NUL");
    }
    Ok(())
}

fn process_is_possible(process: &Process) -> Result<()> {
    if process.terminal() == Some(true) {
        return Err(Error::unsupported(
            "process.terminal",
            "this version runs commands on the caller's own input and output",
        ));
    }
    if process.selinux_label().is_some() && has_selinux() {
        return Err(Error::unsupported(
            "process.selinuxLabel",
            "libcontainer can't set one",
        ));
    }
    Ok(())
}

fn namespace_listed_twice(spec: &Spec) -> Option<String> {
    let mut seen = HashSet::new();
    let linux = spec.linux().as_ref()?;
    let mut listed = linux.namespaces().iter().flatten();
    listed
        .find(|namespace| !seen.insert(namespace.typ().to_string()))
        .map(|namespace| namespace.typ().to_string())
}

fn has_user_namespace_if_needed(spec: &Spec) -> Result<()> {
    if geteuid().is_root() || namespaces::is_listed(spec, LinuxNamespaceType::User) {
        return Ok(());
    }
    Err(Error::NeedsUserNamespace)
}

/// Without a mount namespace the container's mounts are made in the caller's, and libcontainer changes the
/// propagation of its root (C21). That is for a caller who has a mount namespace of his own only.
fn mounts_stay_in_the_container(spec: &Spec) -> Result<()> {
    if namespaces::is_listed(spec, LinuxNamespaceType::Mount) || has_own_mount_namespace() {
        return Ok(());
    }
    Err(Error::unsupported(
        "linux.namespaces without \"mount\"",
        "the container's mounts would be made on the host; hint: unshare --mount",
    ))
}

/// Whether this process has another mount namespace than the host's first process. What can't be told
/// counts as the host's.
fn has_own_mount_namespace() -> bool {
    let identity = |path: &str| std::fs::metadata(path).map(|found| (found.dev(), found.ino()));
    match (identity("/proc/self/ns/mnt"), identity("/proc/1/ns/mnt")) {
        (Ok(ours), Ok(first)) => ours != first,
        _ => false,
    }
}
