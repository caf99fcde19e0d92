//! The container's root file system, made by this program: namespaces, mounts, devices, the move to the root, what is
//! masked and read-only there.
//!
//! libcontainer makes all that as well, but by paths that it looks up piece by piece through `/proc`, some sixty system
//! calls for each mount. Here a place is looked up by the kernel below a descriptor of the root (openat2(2)), and libcontainer
//! gets a process that is in its root already, as it gets one that joins a container: what is left to it is the process
//! itself. The order of things is libcontainer's.
//!
//! What this doesn't do whole is libcontainer's as ever: see [`OwnRoot::take`].

mod build;
mod devices;
mod protect;
mod source;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use bundles::promise::is_bind;
use libcontainer::oci_spec::runtime::{
    LinuxDevice, LinuxNamespace, LinuxNamespaceType, Mount, Spec,
};
use nix::mount::MsFlags;
use nix::sched::CloneFlags;

use super::cgroup::is_in_user_namespace;
use super::namespaces;

const PROC: &str = "/proc";

/// What is to be made, taken out of a spec.
#[derive(Debug)]
pub(super) struct OwnRoot {
    rootfs: PathBuf,
    /// Whether the kernel is to follow no link in the root file system meanwhile: others may write to it (see `held_root`).
    is_held: bool,
    namespaces: CloneFlags,
    host_name: Option<String>,
    domain_name: Option<String>,
    /// The propagation of all that is mounted, from the host's root on.
    propagation: MsFlags,
    mounts: Vec<Mount>,
    devices: Vec<LinuxDevice>,
    /// In a user namespace nobody may make a device: the host's are mounted.
    binds_devices: bool,
    /// The spec, where the working directory may have to be made when everything is mounted.
    working_directory: Option<Spec>,
    parameters: Vec<(String, String)>,
    is_read_only: bool,
    read_only_paths: Vec<String>,
    masked_paths: Vec<String>,
}

/// What is asked for beside the spec.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Where the root file system is.
    pub rootfs: &'a Path,
    /// Whether others may write to it.
    pub is_held: bool,
    /// Whether the working directory may have to be made.
    pub makes_working_directory: bool,
    /// Whether something is asked for that libcontainer does: a terminal, a root without pivot_root(2).
    pub is_libcontainers: bool,
}

/// The namespaces that are entered here: the others only a child is born into, and the user namespace comes first.
const ENTERED: [(LinuxNamespaceType, CloneFlags); 5] = [
    (LinuxNamespaceType::Mount, CloneFlags::CLONE_NEWNS),
    (LinuxNamespaceType::Uts, CloneFlags::CLONE_NEWUTS),
    (LinuxNamespaceType::Ipc, CloneFlags::CLONE_NEWIPC),
    (LinuxNamespaceType::Network, CloneFlags::CLONE_NEWNET),
    (LinuxNamespaceType::Cgroup, CloneFlags::CLONE_NEWCGROUP),
];

impl OwnRoot {
    /// Takes all this out of `spec`. `None`, and `spec` is as it was, where it has hooks, a mount namespace that isn't new, a
    /// shared or unbindable root, a label of SELinux, a device of the network, or a mount that only libcontainer knows
    /// how to make.
    pub(super) fn take(spec: &mut Spec, asked: Asked<'_>) -> Option<Self> {
        let propagation = propagation(spec)?;
        if asked.is_libcontainers || !is_ours(spec) {
            return None;
        }
        let is_read_only = spec.root().as_ref()?.readonly() == Some(true);
        let has_user_namespace = namespaces::is_listed(spec, LinuxNamespaceType::User);
        let working_directory = asked.makes_working_directory.then(|| spec.clone());
        let (host_name, domain_name) = (spec.hostname().clone(), spec.domainname().clone());
        spec.set_hostname(None).set_domainname(None).set_hooks(None);
        let mounts = spec.mounts_mut().take().unwrap_or_default();
        let linux = spec.linux_mut().as_mut()?;
        let (entered, left) = entered(linux.namespaces_mut().take().unwrap_or_default());
        linux.set_namespaces(Some(left));
        let has_own_names = entered.contains(CloneFlags::CLONE_NEWUTS);
        let parameters = linux.sysctl_mut().take().unwrap_or_default();
        Some(Self {
            rootfs: asked.rootfs.to_path_buf(),
            is_held: asked.is_held,
            namespaces: entered,
            host_name: host_name.filter(|_| has_own_names),
            domain_name: domain_name.filter(|_| has_own_names),
            propagation,
            mounts,
            devices: linux.devices_mut().take().unwrap_or_default(),
            binds_devices: has_user_namespace || is_in_user_namespace(),
            working_directory,
            parameters: parameters.into_iter().collect(),
            is_read_only,
            read_only_paths: linux.readonly_paths_mut().take().unwrap_or_default(),
            masked_paths: linux.masked_paths_mut().take().unwrap_or_default(),
        })
    }

    fn has_network(&self) -> bool {
        self.namespaces.contains(CloneFlags::CLONE_NEWNET)
    }
}

fn is_ours(spec: &Spec) -> bool {
    let Some(linux) = spec.linux() else {
        return false;
    };
    let listed = linux.namespaces().iter().flatten();
    let joins = |namespace: &LinuxNamespace| {
        namespace.path().is_some() && ENTERED.iter().any(|(kind, _)| *kind == namespace.typ())
    };
    let mut mounts = spec.mounts().iter().flatten();
    let has_proc = mounts.clone().any(is_own_proc);
    let has_parameters = linux.sysctl().as_ref().is_some_and(|all| !all.is_empty());
    namespaces::is_new(spec, LinuxNamespaceType::Mount)
        && !listed.clone().any(joins)
        && !has_hooks(spec)
        && linux.mount_label().is_none()
        && linux
            .net_devices()
            .as_ref()
            .is_none_or(|all| all.is_empty())
        && (has_proc || !has_parameters)
        && mounts.all(|mount| is_bind(mount) || is_plain(mount))
}

fn has_hooks(spec: &Spec) -> bool {
    let Some(hooks) = spec.hooks() else {
        return false;
    };
    let lists = [
        hooks.prestart(),
        hooks.create_runtime(),
        hooks.create_container(),
        hooks.start_container(),
    ];
    lists.into_iter().flatten().any(|list| !list.is_empty())
}

/// libcontainer looks for what a cgroup mount shows, where we haven't taken it apart.
fn is_plain(mount: &Mount) -> bool {
    mount.typ().as_deref().is_some_and(|kind| kind != "cgroup")
}

fn is_own_proc(mount: &Mount) -> bool {
    !is_bind(mount)
        && mount.typ().as_deref() == Some("proc")
        && mount.destination() == Path::new(PROC)
}

/// What libcontainer makes of the propagation that a spec asks for, as far as it is done with at the beginning.
fn propagation(spec: &Spec) -> Option<MsFlags> {
    let linux = spec.linux().as_ref()?;
    match linux.rootfs_propagation().as_deref() {
        None | Some("slave") => Some(MsFlags::MS_SLAVE),
        Some("private") => Some(MsFlags::MS_PRIVATE),
        Some(_) => None,
    }
}

/// The flags of those that are entered here, and the others.
fn entered(listed: Vec<LinuxNamespace>) -> (CloneFlags, Vec<LinuxNamespace>) {
    let mut flags = CloneFlags::empty();
    let mut left = vec![];
    for namespace in listed {
        match ENTERED.iter().find(|(kind, _)| *kind == namespace.typ()) {
            Some((_, flag)) => flags |= *flag,
            None => left.push(namespace),
        }
    }
    (flags, left)
}
