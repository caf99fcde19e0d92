//! The spec as libcontainer must see it, so that it does what the OCI spec says.
//!
//! Each step is a guard against one difference (the T and C rows of the project's list of libcontainer's
//! traps); what neither libcontainer nor we can do is refused here, never ignored.

use std::path::{Component, Path, PathBuf};

use bundles::seccomp;
use libcontainer::oci_spec::runtime::{
    Capabilities, LinuxCapabilities, LinuxNamespaceType, LinuxSeccomp, Spec,
};
use libcontainer::validator::Validator;
use seccompiler::sock_filter;

use super::{Bundle, Error, Result, namespaces};

/// A spec for libcontainer, with what was taken out of it for us to do.
#[derive(Debug, Clone)]
pub(super) struct Normalised {
    pub spec: Spec,
    /// Filters to load, in order.
    pub filters: Vec<Vec<sock_filter>>,
    /// The cgroup, relative to each hierarchy's mount point.
    pub cgroup: PathBuf,
}

/// Normalises the bundle's spec; `default_cgroup` is for a bundle that names none.
///
/// # Errors
/// [`Error::Config`] and [`Error::Unsupported`], naming the key.
pub(super) fn normalise(bundle: &Bundle, default_cgroup: PathBuf) -> Result<Normalised> {
    let mut spec = bundle.spec.clone();
    refuse_the_impossible(bundle)?;
    explicit_capabilities(&mut spec);
    plain_propagation(&mut spec);
    let cgroup = explicit_cgroup(&mut spec, default_cgroup)?;
    let filters = take_seccomp(&mut spec)?;
    Ok(Normalised {
        spec,
        filters,
        cgroup,
    })
}

fn refuse_the_impossible(bundle: &Bundle) -> Result<()> {
    let spec = &bundle.spec;
    let invalid = |reason: &str| Error::Config {
        path: bundle.directory.join("config.json"),
        reason: reason.to_owned(),
    };
    let process = spec
        .process()
        .as_ref()
        .ok_or_else(|| invalid("process is absent"))?;
    if spec.linux().is_none() {
        return Err(invalid("linux is absent"));
    }
    if process.args().as_ref().is_none_or(Vec::is_empty) {
        return Err(invalid("process.args is absent or empty"));
    }
    if !process.cwd().is_absolute() {
        return Err(invalid("process.cwd must be an absolute path"));
    }
    let strings = process.args().iter().chain(process.env()).flatten();
    if strings.into_iter().any(|text| text.contains('\0')) {
        return Err(invalid("process.args and process.env must not hold NUL"));
    }
    if process.terminal() == Some(true) {
        return Err(Error::unsupported(
            "process.terminal",
            "this version runs commands on the caller's own input and output",
        ));
    }
    refuse_what_is_left_out(spec)?;
    if process.selinux_label().is_some() {
        return Err(Error::unsupported(
            "process.selinuxLabel",
            "libcontainer can't set one",
        ));
    }
    let mapped = spec
        .mounts()
        .iter()
        .flatten()
        .find(|mount| mount.uid_mappings().is_some() && !super::prepare::is_needed(spec));
    if let Some(mount) = mapped {
        return Err(Error::unsupported(
            format!("mounts: uidMappings of {}", mount.destination().display()),
            "it needs root and a user namespace of the bundle's own",
        ));
    }
    Ok(())
}

/// Parts of the spec that libcontainer's lower entry leaves to its callers, or drops in silence.
fn refuse_what_is_left_out(spec: &Spec) -> Result<()> {
    let linux = spec.linux().as_ref();
    if linux.is_some_and(|linux| linux.intel_rdt().is_some()) {
        return Err(Error::unsupported("linux.intelRdt", "not in this version"));
    }
    if !namespaces::is_listed(spec, LinuxNamespaceType::Mount) {
        // libcontainer would change the propagation of the host's own root (C21).
        return Err(Error::unsupported(
            "linux.namespaces without a mount namespace",
            "the container's mounts would be made on the host",
        ));
    }
    for mount in spec.mounts().iter().flatten() {
        let dropped =
            mount.options().iter().flatten().find(|option| {
                ["sync", "dirsync", "lazytime", "iversion"].contains(&option.as_str())
            });
        if let Some(option) = dropped {
            return Err(Error::unsupported(
                format!(
                    "mounts: option \"{option}\" of {}",
                    mount.destination().display()
                ),
                "libcontainer drops it",
            ));
        }
    }
    Validator::validate_spec(spec)
        .map_err(|error| Error::unsupported("config.json", error.to_string()))
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

/// A path of our own where the bundle names none; libcontainer's default carries its own name.
fn explicit_cgroup(spec: &mut Spec, default: PathBuf) -> Result<PathBuf> {
    let given = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.cgroups_path().clone());
    let path = match given {
        Some(path) if path.is_absolute() => path,
        Some(path) => PathBuf::from("/").join(path),
        None => default,
    };
    let is_plain = path
        .components()
        .skip(1)
        .all(|component| matches!(component, Component::Normal(_)));
    if !is_plain || path == Path::new("/") {
        return Err(Error::unsupported(
            format!("linux.cgroupsPath {}", path.display()),
            "it must name a cgroup below the root, without '..'",
        ));
    }
    if let Some(linux) = spec.linux_mut() {
        linux.set_cgroups_path(Some(path.clone()));
    }
    Ok(path)
}

/// Takes the profile out: libcontainer without libseccomp would ignore it in silence.
fn take_seccomp(spec: &mut Spec) -> Result<Vec<Vec<sock_filter>>> {
    let no_new_privileges = spec
        .process()
        .as_ref()
        .and_then(|process| process.no_new_privileges());
    let Some(linux) = spec.linux_mut() else {
        return Ok(vec![]);
    };
    let Some(profile): Option<LinuxSeccomp> = linux.seccomp().clone() else {
        return Ok(vec![]);
    };
    linux.set_seccomp(None);
    if no_new_privileges != Some(true) {
        return Err(Error::unsupported(
            "linux.seccomp without process.noNewPrivileges",
            "this version loads filters only where noNewPrivileges is true",
        ));
    }
    let filters = seccomp::compile(&profile)
        .map_err(|error| Error::unsupported("linux.seccomp", error.to_string()))?;
    Ok(filters.programs().to_vec())
}
