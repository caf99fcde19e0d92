//! Short ways into the deeply optional OCI spec, for the rows of the promise.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespaceType, Mount, Process, Spec};

use super::exceptions;

pub(super) fn process(spec: &Spec) -> Option<&Process> {
    spec.process().as_ref()
}

pub(super) fn linux(spec: &Spec) -> Option<&Linux> {
    spec.linux().as_ref()
}

pub(super) fn mounts(spec: &Spec) -> &[Mount] {
    spec.mounts().as_deref().unwrap_or_default()
}

pub(super) fn options(mount: &Mount) -> &[String] {
    mount.options().as_deref().unwrap_or_default()
}

pub(super) fn has_option(mount: &Mount, option: &str) -> bool {
    options(mount).iter().any(|have| have == option)
}

/// Whether `mount` is a bind mount: by type, or by option as the OCI spec also allows.
pub fn is_bind(mount: &Mount) -> bool {
    mount.typ().as_deref() == Some("bind")
        || has_option(mount, "bind")
        || has_option(mount, "rbind")
}

pub(super) fn is_recursive(mount: &Mount) -> bool {
    has_option(mount, "rbind")
}

/// Whether `option` holds for the mount and for everything below it, and no later option takes it back.
pub(super) fn enforces(mount: &Mount, option: &str) -> bool {
    let undone = option.strip_prefix("no").unwrap_or(option);
    let mut here = false;
    let mut below = !is_recursive(mount);
    for have in options(mount) {
        let recursive = have.strip_prefix('r');
        if have == option {
            here = true;
        } else if recursive == Some(option) {
            here = true;
            below = true;
        } else if have == undone || recursive == Some(undone) {
            here = false;
            below = below && have == undone && !is_recursive(mount);
        }
    }
    here && below
}

/// Whether the mount itself is to be read-only: the last of the options that say so counts.
pub(super) fn is_read_only(mount: &Mount) -> bool {
    options(mount)
        .iter()
        .rev()
        .find_map(|option| match option.as_str() {
            "ro" | "rro" => Some(true),
            "rw" | "rrw" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}

/// Whether `mount` is a file system of its own that holds the runtime's devices: a fresh `/dev`, or a
/// devpts. By type alone it could be a bind mount of the host's.
pub(super) fn is_own_dev(mount: &Mount) -> bool {
    let fresh = match mount.typ().as_deref() {
        Some("tmpfs") => mount.destination() == Path::new("/dev"),
        Some("devpts") => true,
        _ => false,
    };
    fresh && !is_bind(mount)
}

/// Whether `spec` asks for a new namespace of this type (one joined by path is someone else's).
///
/// Of several entries of a type libcontainer takes the last, others may take the first: that is no promise.
pub(super) fn has_new_namespace(spec: &Spec, wanted: LinuxNamespaceType) -> bool {
    let mut entries = namespaces(spec).filter(|(typ, _)| *typ == wanted);
    matches!((entries.next(), entries.next()), (Some((_, false)), None))
}

/// Whether `spec` has a user namespace in which ids are mapped: a new one, or the one that its tasks share.
pub(super) fn has_mapped_ids(spec: &Spec) -> bool {
    has_new_namespace(spec, LinuxNamespaceType::User) || shares(spec, LinuxNamespaceType::User)
}

/// Whether `spec` joins the pid namespace that tasks share.
pub fn shares_tasks(spec: &Spec) -> bool {
    shares(spec, LinuxNamespaceType::Pid)
}

/// Whether `spec` asks for namespaces that tasks share, and joins one of this type: by a descriptor that who runs it has
/// open, for a path elsewhere may lead to another one by the time it is followed.
pub(super) fn shares(spec: &Spec, wanted: LinuxNamespaceType) -> bool {
    if !exceptions::has_shared_tasks(spec) {
        return false;
    }
    let listed = linux(spec).and_then(|linux| linux.namespaces().as_ref());
    let mut entries = listed
        .into_iter()
        .flatten()
        .filter(|namespace| namespace.typ() == wanted);
    let (Some(only), None) = (entries.next(), entries.next()) else {
        return false;
    };
    let path = only.path().as_deref().and_then(Path::to_str);
    let number = path.and_then(|path| path.strip_prefix("/proc/self/fd/"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
}

/// The spec's namespaces, each with whether it is joined by path.
pub(super) fn namespaces(spec: &Spec) -> impl Iterator<Item = (LinuxNamespaceType, bool)> + '_ {
    linux(spec)
        .and_then(|linux| linux.namespaces().as_ref())
        .into_iter()
        .flatten()
        .map(|namespace| (namespace.typ(), namespace.path().is_some()))
}

/// What `id` inside the container is on the host; `None` where a user namespace doesn't map it.
pub(super) fn host_id(spec: &Spec, id: u32, mappings: &Option<Vec<LinuxIdMapping>>) -> Option<u32> {
    if !has_mapped_ids(spec) {
        return Some(id);
    }
    mappings.iter().flatten().find_map(|map| {
        let offset = id.checked_sub(map.container_id())?;
        (offset < map.size()).then(|| map.host_id().checked_add(offset))?
    })
}

/// Whether `path` is absolute and leads nowhere else than it says. `//` and an ending `/` count as `/`.
pub(super) fn is_plain_path(path: &Path) -> bool {
    let mut parts = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
    path.is_absolute() && !parts.any(|part| matches!(part, b"." | b".."))
}
