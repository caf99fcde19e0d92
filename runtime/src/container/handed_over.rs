//! The specification as libcontainer gets it: without what is ours to do.

use std::path::PathBuf;

use libcontainer::oci_spec::runtime::{Hook, LinuxNamespaceType, Spec};

use super::cgroup::Placement;
use super::first_process::Joined;
use super::held_root::HeldRoot;
use super::id_maps::IdMaps;
use super::normalise::{Normalised, home_that_need_not_be_looked_up};
use super::own_root::{Asked, OwnRoot};
use super::prepare::Tree;
use super::snapshot::Snapshot;
use super::{Result, bound_dev, namespaces, working_directory};

/// What libcontainer gets, and beside it what was taken out.
#[derive(Debug)]
pub(super) struct HandedOver {
    pub(super) spec: Spec,
    /// Where the root file system is for libcontainer.
    pub(super) rootfs: PathBuf,
    /// The mounts that are made beforehand.
    pub(super) tree: Option<Tree>,
    /// Where others may write to the root file system meanwhile.
    pub(super) held_root: Option<HeldRoot>,
    /// The root file system, where libcontainer doesn't make it.
    pub(super) own_root: Option<OwnRoot>,
    /// Whether nobody has to stand between the runtime and the first process.
    pub(super) is_direct: bool,
    /// Namespaces that are joined.
    pub(super) joined: Joined,
    /// Mappings of a new user namespace.
    pub(super) id_maps: Option<IdMaps>,
    /// Hooks of that name.
    pub(super) create_container: Vec<Hook>,
    /// Whether the working directory is made when everything is mounted.
    pub(super) makes_working_directory: bool,
    /// The working directory, where libcontainer can't enter it.
    pub(super) enters: Option<PathBuf>,
}

impl HandedOver {
    /// Takes `normalised` apart, for the container that `snapshot` tells of. `is_own_root` says that nobody else can write
    /// to the root file system.
    ///
    /// # Errors
    /// For what nobody can do.
    pub(super) fn of(
        normalised: &Normalised,
        snapshot: &Snapshot,
        no_pivot: bool,
        has_terminal: bool,
        sealed: bool,
        is_own_root: bool,
    ) -> Result<Self> {
        let mut spec = normalised.spec.clone();
        home_that_need_not_be_looked_up(&mut spec);
        let joined = Joined::take(&mut spec)?;
        let has_namespace = namespaces::is_listed(&normalised.spec, LinuxNamespaceType::Cgroup);
        show_cgroups(&mut spec, &snapshot.cgroup, has_namespace);
        bound_dev::set_aside(&mut spec)?;
        let enters = working_directory::take_the_users_alone(&mut spec);
        let tree = Tree::plan(&spec, &snapshot.rootfs, sealed)?;
        let id_maps = IdMaps::of(&spec)?;
        if let Some(tree) = &tree {
            spec = tree.rest();
        }
        let makes_working_directory =
            !sealed && enters.is_none() && working_directory::is_below_mount(&normalised.spec);
        let rootfs = tree.as_ref().map_or(snapshot.rootfs.as_path(), Tree::root);
        let rootfs = rootfs.to_path_buf();
        let held_root = (!is_own_root)
            .then(|| HeldRoot::plan(&spec, &rootfs, tree.is_some()))
            .flatten();
        let asked = Asked {
            rootfs: &rootfs,
            is_held: held_root.is_some(),
            makes_working_directory,
            is_libcontainers: no_pivot || has_terminal || bound_dev::is_asked_for(&normalised.spec),
        };
        let own_root = OwnRoot::take(&mut spec, asked);
        // After whoever makes the root has looked whether there are any.
        let create_container = take_hooks(&mut spec);
        // It holds the root itself.
        let held_root = held_root.filter(|_| own_root.is_none());
        let waits_for_hooks = makes_working_directory || no_pivot || held_root.is_some();
        if waits_for_hooks && own_root.is_none() {
            working_directory::ask_for_hooks(&mut spec);
        }
        let is_listed = |kind| namespaces::is_listed(&spec, kind);
        let is_direct = own_root.is_some()
            && tree.is_none()
            && joined.is_empty()
            && !is_listed(LinuxNamespaceType::User)
            && !is_listed(LinuxNamespaceType::Time);
        Ok(Self {
            is_direct,
            spec,
            rootfs,
            tree,
            held_root,
            own_root,
            joined,
            id_maps,
            create_container,
            makes_working_directory,
            enters,
        })
    }
}

/// Takes out the hooks that libcontainer isn't to run.
fn take_hooks(spec: &mut Spec) -> Vec<Hook> {
    let Some(hooks) = spec.hooks_mut() else {
        return vec![];
    };
    let taken = hooks.create_container().clone().unwrap_or_default();
    hooks.set_create_container(None);
    taken
}

/// Takes `cgroup` mounts apart into what they show, but where the kernel does so.
fn show_cgroups(spec: &mut Spec, cgroup: &Placement, has_namespace: bool) {
    let mounts = spec.mounts().clone().unwrap_or_default();
    let shown = mounts.into_iter().flat_map(|mount| {
        let is_cgroup = mount.typ().as_deref() == Some("cgroup");
        is_cgroup
            .then(|| cgroup.shown_by(&mount, has_namespace))
            .flatten()
            .unwrap_or_else(|| vec![mount])
    });
    spec.set_mounts(Some(shown.collect()));
}
