//! What a spec may not ask for: refused here by name, before anything is made.

use std::collections::HashSet;
use std::path::Path;

use bundles::promise::parse_mountinfo;
use libcontainer::oci_spec::runtime::{LinuxNamespaceType, Process, Spec, User};
use libcontainer::validator::Validator;
use nix::unistd::geteuid;

use super::security_modules::has_selinux;
use super::well_formed::check_process;
use super::{Bundle, Error, Result, namespaces};
use crate::kernel_file;

/// Refuses a spec that contradicts itself or asks for what neither libcontainer nor we can do.
///
/// # Errors
/// [`Error::Config`] and [`Error::Unsupported`], naming the key.
pub(super) fn validate(bundle: &Bundle) -> Result<()> {
    let spec = &bundle.spec;
    let invalid = |reason: String| Error::Config {
        path: bundle.config.clone(),
        reason,
    };
    if spec.linux().is_none() {
        return Err(invalid("linux is absent".to_owned()));
    }
    if let Some(process) = spec.process() {
        process_is_possible(process)?;
    }
    if let Some(twice) = namespace_listed_twice(spec) {
        return Err(invalid(format!(
            "linux.namespaces lists \"{twice}\" more than once"
        )));
    }
    let linux = spec.linux().as_ref();
    if linux.is_some_and(|linux| linux.intel_rdt().is_some()) {
        return Err(Error::unsupported("linux.intelRdt", why_no_resctrl()?));
    }
    let makes_devices = bundle.kind.is_none() && geteuid().is_root();
    if let Some(path) = device_elsewhere(spec).filter(|_| !makes_devices) {
        return Err(Error::unsupported(
            format!("linux.devices: {}", path.display()),
            "only root's bundles that aren't sealed have devices elsewhere than in /dev",
        ));
    }
    if let Some(unknown) = unknown_propagation(spec) {
        return Err(invalid(format!(
            "linux.rootfsPropagation \"{unknown}\" is none that there is"
        )));
    }
    has_user_namespace_if_needed(spec)?;
    mounts_stay_with_the_caller(spec)?;
    // Host and domain name, sysctls and mappings that would be the host's, scheduler and I/O priority.
    Validator::validate_spec(spec).map_err(|error| invalid(with_key(&error.to_string())))
}

/// libcontainer's message behind the key that it is about, which it leaves out.
fn with_key(message: &str) -> String {
    const KEYS: [(&str, &str); 7] = [
        ("sysctl ", "linux.sysctl"),
        (
            "user namespace mappings",
            "linux.uidMappings, linux.gidMappings",
        ),
        ("setting ucounts", "linux.sysctl"),
        ("unable to set hostname", "hostname"),
        ("unable to set domainname", "domainname"),
        (
            "unable to restrict sys entries",
            "linux.maskedPaths, linux.readonlyPaths",
        ),
        ("time namespace offsets", "linux.timeOffsets"),
    ];
    let key = KEYS.iter().find(|(begin, _)| message.starts_with(begin));
    key.map_or_else(
        || message.to_owned(),
        |(_, key)| format!("{key}: {message}"),
    )
}

/// Refuses a process that can't join a container which was created already.
///
/// # Errors
/// [`Error::Argument`] and [`Error::Unsupported`], naming the key.
pub(super) fn validate_process(spec: &Spec) -> Result<()> {
    let invalid = |reason: String| Error::Argument(format!("process to execute: {reason}"));
    let Some(process) = spec.process() else {
        return Err(invalid("it is absent".to_owned()));
    };
    check_process(process).map_err(invalid)?;
    process_is_possible(process)?;
    Validator::validate_spec(spec).map_err(|error| invalid(error.to_string()))
}

fn process_is_possible(process: &Process) -> Result<()> {
    user_is_possible(process.user())?;
    let size = process.console_size();
    let is_too_large = |length: u64| length > u16::MAX.into();
    if size.is_some_and(|size| is_too_large(size.height()) || is_too_large(size.width())) {
        return Err(Error::unsupported(
            "process.consoleSize",
            "a terminal has at most 65535 rows and columns",
        ));
    }
    if let Some(priority) = process.io_priority()
        && !(0..=7).contains(&priority.priority())
    {
        return Err(Error::unsupported(
            format!("process.ioPriority.priority {}", priority.priority()),
            "it must be 0 to 7",
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

/// setuid(2) and setgid(2) take the last id there is for "no change", and the process would stay root. A name
/// without a uid, which only other systems know, would make it root as well.
fn user_is_possible(user: &User) -> Result<()> {
    let groups = user.additional_gids().iter().flatten().copied();
    let ids = [("uid", user.uid()), ("gid", user.gid())].into_iter();
    let mut all = ids.chain(groups.map(|gid| ("additionalGids", gid)));
    if let Some((key, id)) = all.find(|(_, id)| *id == u32::MAX) {
        return Err(Error::unsupported(
            format!("process.user.{key} {id}"),
            "no user or group has it",
        ));
    }
    match user.username() {
        Some(name) if !name.is_empty() => Err(Error::unsupported(
            format!("process.user.username \"{name}\""),
            "on Linux a user is given by uid and gid",
        )),
        _ => Ok(()),
    }
}

/// libcontainer makes devices in `/dev` only; others are root's to make.
fn device_elsewhere(spec: &Spec) -> Option<&Path> {
    let linux = spec.linux().as_ref()?;
    let mut devices = linux
        .devices()
        .iter()
        .flatten()
        .map(|device| &**device.path());
    devices.find(|path| !path.starts_with("/dev"))
}

/// The OCI spec wants an error where resctrl isn't mounted, though every peer passes it over.
fn why_no_resctrl() -> Result<&'static str> {
    let path = "/proc/self/mounts";
    let mounts = kernel_file::read(path).map_err(Error::io("read", path))?;
    let is_resctrl = |line: &str| line.split(' ').nth(2) == Some("resctrl");
    Ok(if mounts.lines().any(is_resctrl) {
        "this version leaves cache and bandwidth allocation to the host"
    } else {
        "no resctrl file system is mounted on this host"
    })
}

fn namespace_listed_twice(spec: &Spec) -> Option<String> {
    let mut seen = HashSet::new();
    let linux = spec.linux().as_ref()?;
    let mut listed = linux.namespaces().iter().flatten();
    listed
        .find(|namespace| !seen.insert(namespace.typ().to_string()))
        .map(|namespace| namespace.typ().to_string())
}

/// With `r` before them as well.
const PROPAGATIONS: [&str; 4] = ["private", "shared", "slave", "unbindable"];

fn unknown_propagation(spec: &Spec) -> Option<&String> {
    let propagation = spec.linux().as_ref()?.rootfs_propagation().as_ref()?;
    let plain = propagation.strip_prefix('r').unwrap_or(propagation);
    (!propagation.is_empty() && !PROPAGATIONS.contains(&plain)).then_some(propagation)
}

fn has_user_namespace_if_needed(spec: &Spec) -> Result<()> {
    if geteuid().is_root() || namespaces::is_listed(spec, LinuxNamespaceType::User) {
        return Ok(());
    }
    Err(Error::NeedsUserNamespace)
}

/// Without a mount namespace the container's mounts are made in the caller's, and libcontainer changes the
/// propagation of all that is mounted there (C21). That is harmless only where nothing is shared, as after
/// unshare(1); on a host with systemd everything is.
fn mounts_stay_with_the_caller(spec: &Spec) -> Result<()> {
    if namespaces::is_listed(spec, LinuxNamespaceType::Mount) {
        return Ok(());
    }
    let path = "/proc/self/mountinfo";
    let text = kernel_file::read(path).map_err(Error::io("read", path))?;
    let mounts = parse_mountinfo(&text).map_err(|error| Error::Io {
        operation: "read",
        path: path.into(),
        source: std::io::Error::other(error),
    })?;
    match mounts.iter().find(|mount| mount.shared) {
        None => Ok(()),
        Some(shared) => Err(Error::unsupported(
            "linux.namespaces without \"mount\"",
            format!(
                "{} is a shared mount, and the container's would show in every namespace; hint: unshare --mount",
                shared.path.display()
            ),
        )),
    }
}
