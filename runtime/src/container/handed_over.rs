//! The specification as libcontainer gets it: without what is ours to do.

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::rc::Rc;

use libcgroups::common::CgroupConfig;
use libcontainer::container::Container;
use libcontainer::notify_socket::NotifyListener;
use libcontainer::oci_spec::runtime::{Hook, LinuxNamespaceType, Spec};
use libcontainer::process::args::{ContainerArgs, ContainerType};
use libcontainer::syscall::syscall::SyscallType;

use super::cgroup::Placement;
use super::executor::Payload;
use super::first_process::Joined;
use super::held_root::HeldRoot;
use super::id_maps::IdMaps;
use super::normalise::{Normalised, home_that_need_not_be_looked_up};
use super::own_root::{Asked, OwnRoot};
use super::prepare::Tree;
use super::snapshot::Snapshot;
use super::{CreateOptions, Result, bound_dev, namespaces, working_directory};

/// What libcontainer gets, and beside it what was taken out.
#[derive(Debug)]
pub(super) struct HandedOver {
    pub(super) spec: Spec,
    /// Where the root file system is for libcontainer.
    pub(super) rootfs: PathBuf,
    /// The working directory, where libcontainer can't enter it.
    pub(super) enters: Option<PathBuf>,
    pub(super) taken_out: TakenOut,
}

/// What libcontainer isn't told, for it isn't libcontainer's to do.
#[derive(Debug)]
pub(super) struct TakenOut {
    /// The mounts that are made beforehand.
    pub(super) tree: Option<Tree>,
    /// The root file system, if links in it are to lead nowhere meanwhile: others may write to it.
    pub(super) held_root: Option<HeldRoot>,
    /// The root file system, if it isn't libcontainer's to make.
    pub(super) own_root: Option<OwnRoot>,
    /// Whether nobody has to stand between the runtime and the first process.
    pub(super) is_direct: bool,
    /// The namespaces that the process is put into.
    pub(super) joined: Joined,
    /// The mappings of a new user namespace.
    pub(super) id_maps: Option<IdMaps>,
    /// The hooks called `createContainer`.
    pub(super) create_container: Vec<Hook>,
    /// Whether the working directory may have to be made when everything is mounted.
    pub(super) makes_working_directory: bool,
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
            is_libcontainers: no_pivot || has_terminal,
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
        let taken_out = TakenOut {
            tree,
            held_root,
            own_root,
            is_direct,
            joined,
            id_maps,
            create_container,
            makes_working_directory,
        };
        Ok(Self {
            spec,
            rootfs,
            enters,
            taken_out,
        })
    }

    /// What libcontainer is called with, and what is ours. The first process does what `payload` says, waits for `start` at
    /// `listener`, and takes `terminal` for its own.
    pub(super) fn split(
        self,
        payload: Payload,
        listener: NotifyListener,
        view: Container,
        terminal: Option<RawFd>,
        options: &CreateOptions,
    ) -> (ContainerArgs, TakenOut) {
        let arguments = ContainerArgs {
            container_type: match self.taken_out.own_root {
                // In its root already: libcontainer leaves such a one where it is.
                Some(_) => ContainerType::TenantContainer { exec_notify_fd: -1 },
                None => ContainerType::InitContainer,
            },
            syscall: SyscallType::default(),
            spec: Rc::new(self.spec),
            rootfs: self.rootfs,
            console_socket: terminal,
            notify_listener: listener,
            preserve_fds: i32::from(options.activated_sockets) + i32::from(options.preserve_fds),
            // The mappings are written by us; this would only forbid groups where they may be set.
            user_ns_config: None,
            cgroup_config: CgroupConfig {
                // For libcontainer's own way into the cgroup, which isn't gone.
                cgroup_path: PathBuf::new(),
                systemd_cgroup: false,
                container_name: view.id().to_owned(),
            },
            container: Some(view),
            detached: true,
            executor: Box::new(Payload {
                enters: self.enters,
                ..payload
            }),
            no_pivot: options.no_pivot,
            stdin: None,
            stdout: None,
            stderr: None,
            as_sibling: false,
            pid_file: None,
        };
        (arguments, self.taken_out)
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
    let mounts = spec.mounts_mut().take().unwrap_or_default();
    let shown = mounts.into_iter().flat_map(|mount| {
        let is_cgroup = mount.typ().as_deref() == Some("cgroup");
        is_cgroup
            .then(|| cgroup.shown_by(&mount, has_namespace))
            .flatten()
            .unwrap_or_else(|| vec![mount])
    });
    spec.set_mounts(Some(shown.collect()));
}
