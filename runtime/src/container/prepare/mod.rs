//! Mounts that must be made before libcontainer starts: bind mounts for a container with a user namespace,
//! idmapped ones, and those of device nodes that it can't make.
//!
//! Inside the user namespace nobody may enter `/root` or a home directory of mode 0700, where commands
//! and projects live, and libcontainer can't make idmapped mounts at all. So root first builds the tree
//! in a mount namespace of its own and libcontainer takes it over as the root file system, with every
//! mount in it locked by the kernel (mount_namespaces(7)). If anything fails or is killed, the namespace
//! goes and the host never saw a mount.

mod late;
mod nodes;
mod source;
mod target;

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use bundles::promise::is_bind;
use libcontainer::oci_spec::runtime::{LinuxDevice, LinuxNamespaceType, Mount, Spec};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::{Error, Result, mount_options, namespaces};
use crate::sys::MountAttr;
pub(super) use late::attach_late;
pub(super) use source::can_map_ids;
use source::open_source;
pub(super) use source::{set_attributes, set_options};
pub(super) use target::{attach, move_to, open_target};

/// Where the tree may be attached in the private mount namespace: the first of these that is there. It hides
/// the host's directory, which a hook in the container's namespaces could miss; everybody may pass them.
const ATTACH_POINTS: [&str; 4] = ["/mnt", "/srv", "/media", "/tmp"];

const NO_SUID_NO_DEV: MountAttr = MountAttr {
    set: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
    clear: 0,
    propagation: 0,
    user_namespace: 0,
};

/// The part of a container's mounts that root makes beforehand.
#[derive(Debug)]
pub(super) struct Tree {
    /// The whole spec, but for these devices.
    spec: Spec,
    nodes: Vec<LinuxDevice>,
    /// The places in its list of mounts of those that are ours.
    taken: Vec<usize>,
    rootfs: PathBuf,
    attached_at: &'static Path,
    sealed: bool,
}

/// Whether `spec` needs this: a user namespace asked for by root, or an idmapped mount.
fn is_needed(spec: &Spec, nodes: &[LinuxDevice]) -> bool {
    !nodes.is_empty()
        || namespaces::is_listed(spec, LinuxNamespaceType::User) && nix::unistd::geteuid().is_root()
        || spec.mounts().iter().flatten().any(is_id_mapped)
}

fn is_id_mapped(mount: &Mount) -> bool {
    mount.uid_mappings().is_some()
        || mount.gid_mappings().is_some()
        || mount_options::parse(mount).id_mapped.is_some()
}

impl Tree {
    /// Plans it for `spec`; `None` where nothing has to be made beforehand.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a mount that should be made beforehand and can't.
    pub(super) fn plan(spec: &Spec, rootfs: &Path, sealed: bool) -> Result<Option<Self>> {
        let mut spec = spec.clone();
        // A sealed bundle's are all in its own /dev, and an ordinary user may make none.
        let nodes = match sealed || !nix::unistd::geteuid().is_root() {
            true => vec![],
            false => nodes::take(&mut spec),
        };
        if !is_needed(&spec, &nodes) {
            return Ok(None);
        }
        let places: Vec<&Path> = nodes.iter().map(|node| node.path().as_path()).collect();
        let all = spec.mounts().clone().unwrap_or_default();
        let not_binds: Vec<usize> = (0..all.len())
            .filter(|index| !is_bind(&all[*index]))
            .collect();
        let (taken, left): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|index| {
            is_taken(&all[*index], &all[*index..], &places)
                && !is_covered(&all, &not_binds, *index, &places)
        });
        refuse_left_behind(left.iter().map(|index| &all[*index]), sealed)?;
        let is_covered = |place: &&&Path| {
            let mut left = left.iter();
            left.any(|index| place.starts_with(all[*index].destination()))
        };
        if let Some(place) = places.iter().find(is_covered) {
            return Err(Error::unsupported(
                format!("linux.devices: {}", place.display()),
                "it is below a mount that is neither a bind mount nor a tmpfs",
            ));
        }
        let attach_point = ATTACH_POINTS
            .into_iter()
            .map(Path::new)
            .find(|path| path.is_dir());
        let attached_at = attach_point
            .ok_or_else(|| std::io::Error::from_raw_os_error(libc::ENOENT))
            .map_err(Error::io(
                "attach the root file system at",
                ATTACH_POINTS[0],
            ))?;
        Ok(Some(Self {
            spec,
            nodes,
            taken,
            rootfs: rootfs.to_path_buf(),
            attached_at,
            sealed,
        }))
    }

    /// Where the root file system is once it is built.
    pub(super) fn root(&self) -> &Path {
        self.attached_at
    }

    /// The spec without the mounts that are made.
    pub(super) fn rest(&self) -> Spec {
        let mut rest = self.spec.clone();
        let all = rest.mounts().clone().unwrap_or_default();
        let left = all
            .into_iter()
            .enumerate()
            .filter(|(index, _)| self.taken.binary_search(index).is_err());
        rest.set_mounts(Some(left.map(|(_, mount)| mount).collect()));
        rest
    }

    /// Puts this process into a mount namespace of its own and builds the tree there.
    ///
    /// # Errors
    /// The step, the path and the cause.
    pub(super) fn build(&self) -> Result<()> {
        let none: Option<&str> = None;
        unshare(CloneFlags::CLONE_NEWNS).map_err(Error::step("make a mount namespace"))?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)
            .map_err(Error::step("make the mount namespace private"))?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let root = open_tree(CWD, &self.rootfs, flags)
            .map_err(|errno| Error::io("clone the root file system", &self.rootfs)(errno.into()))?;
        if self.sealed {
            set_attributes(&root, NO_SUID_NO_DEV, false)
                .map_err(Error::io("set nosuid on", &self.rootfs))?;
        }
        let all = self.spec.mounts().as_deref().unwrap_or_default();
        let taken = || self.taken.iter().map(|index| &all[*index]);
        // Every source is opened before anything is attached: the tree may hide where it lies.
        let opened = taken()
            .map(|mount| open_source(mount, &self.spec, self.sealed, None))
            .collect::<Result<Vec<_>>>()?;
        let nodes = nodes::make(&self.nodes, &self.spec, self.attached_at)?;
        attach(&root, CWD.as_fd(), self.attached_at)?;
        for (mount, source) in std::iter::zip(taken(), &opened) {
            let target = open_target(root.as_fd(), mount.destination(), source)?;
            attach(source, target.as_fd(), Path::new(""))?;
        }
        for (node, device) in std::iter::zip(&nodes, &self.nodes) {
            let target = open_target(root.as_fd(), device.path(), node)?;
            attach(node, target.as_fd(), Path::new(""))?;
        }
        Ok(())
    }
}

/// libcontainer makes the mounts that are left after ours, whatever the order was: one that belongs below a
/// later one of its own would be covered by that, so it is libcontainer's as well.
/// `not_binds` are the places of those that aren't bind mounts: of thousands of mounts they are few.
fn is_covered(all: &[Mount], not_binds: &[usize], index: usize, nodes: &[&Path]) -> bool {
    let mut before = not_binds.iter().take_while(|other| **other < index);
    before.any(|other| {
        all[index]
            .destination()
            .starts_with(all[*other].destination())
            && !is_taken(&all[*other], &all[*other..], nodes)
    })
}

/// libcontainer opens what it mounts inside the user namespace, by path, and maps no ids. That won't do for
/// a sealed bundle, nor for a mount with mappings.
fn refuse_left_behind<'a>(mut left: impl Iterator<Item = &'a Mount>, sealed: bool) -> Result<()> {
    let refused = left.find(|mount| is_bind(mount) && sealed || is_id_mapped(mount));
    let Some(mount) = refused else {
        return Ok(());
    };
    Err(Error::unsupported(
        format!(
            "mounts: {} below one that is not a bind mount",
            mount.destination().display()
        ),
        "with a user namespace or mapped ids this version makes bind mounts first",
    ))
}

/// Bind mounts, and any tmpfs that a later bind mount or a device lies in.
fn is_taken(mount: &Mount, later: &[Mount], nodes: &[&Path]) -> bool {
    let place = mount.destination();
    let binds = later.iter().filter(|other| is_bind(other));
    let mut inside = binds
        .map(|bind| bind.destination().as_path())
        .chain(nodes.iter().copied());
    is_bind(mount)
        || mount.typ().as_deref() == Some("tmpfs") && inside.any(|path| path.starts_with(place))
}
