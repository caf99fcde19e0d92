//! Mounts that must be made before libcontainer starts: bind mounts for a container with a user namespace,
//! and idmapped ones.
//!
//! Inside the user namespace nobody may enter `/root` or a home directory of mode 0700, where commands
//! and projects live, and libcontainer can't make idmapped mounts at all. So root first builds the tree
//! in a mount namespace of its own and libcontainer takes it over as the root file system, with every
//! mount in it locked by the kernel (mount_namespaces(7)). If anything fails or is killed, the namespace
//! goes and the host never saw a mount.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use bundles::promise::is_bind;
use libcontainer::oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Mount, Spec};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use super::mount_options::{self, Depth, MountOptions};
use super::{Error, Result, namespaces};
use crate::below::{make_directories, open_below};
use crate::sys::{MountAttr, mount_setattr, user_namespace};

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
    /// The whole spec.
    spec: Spec,
    /// The places in its list of mounts of those that are ours.
    taken: Vec<usize>,
    rootfs: PathBuf,
    attached_at: &'static Path,
    sealed: bool,
}

/// Whether `spec` needs this: a user namespace asked for by root, or an idmapped mount.
fn is_needed(spec: &Spec) -> bool {
    namespaces::is_listed(spec, LinuxNamespaceType::User) && nix::unistd::geteuid().is_root()
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
        if !is_needed(spec) {
            return Ok(None);
        }
        let all = spec.mounts().clone().unwrap_or_default();
        let (taken, left): (Vec<usize>, Vec<usize>) = (0..all.len())
            .partition(|index| is_taken(&all[*index], &all[*index..]) && !is_covered(&all, *index));
        refuse_left_behind(left.iter().map(|index| &all[*index]), sealed)?;
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
            spec: spec.clone(),
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
            .filter(|(index, _)| !self.taken.contains(index));
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
            .map(|mount| open_source(mount, &self.spec, self.sealed))
            .collect::<Result<Vec<_>>>()?;
        attach(&root, CWD.as_fd(), self.attached_at)?;
        for (mount, source) in std::iter::zip(taken(), &opened) {
            let target = open_target(root.as_fd(), mount.destination(), source)?;
            attach(source, target.as_fd(), Path::new(""))?;
        }
        Ok(())
    }
}

/// libcontainer makes the mounts that are left after ours, whatever the order was: one that belongs below a
/// later one of its own would be covered by that, so it is libcontainer's as well.
fn is_covered(all: &[Mount], index: usize) -> bool {
    let (before, later) = all.split_at(index);
    before.iter().enumerate().any(|(position, other)| {
        later[0].destination().starts_with(other.destination())
            && !is_taken(other, &all[position..])
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

/// Bind mounts, and any tmpfs that a later bind mount lies in.
fn is_taken(mount: &Mount, later: &[Mount]) -> bool {
    is_bind(mount)
        || mount.typ().as_deref() == Some("tmpfs")
            && later
                .iter()
                .any(|other| is_bind(other) && other.destination().starts_with(mount.destination()))
}

/// A detached mount, with all its attributes set before anybody can reach it.
fn open_source(mount: &Mount, spec: &Spec, sealed: bool) -> Result<OwnedFd> {
    let options = mount_options::parse(mount);
    let tree = if is_bind(mount) {
        clone_tree(mount, &options, sealed)?
    } else {
        new_tmpfs(mount, &options, spec)?
    };
    set_attributes(&tree, only_restricting(options.own), false)
        .and_then(|()| set_attributes(&tree, options.recursive_own, true))
        .map_err(Error::io(
            "set the attributes of mount",
            mount.destination(),
        ))?;
    if is_id_mapped(mount) {
        map_ids(mount, &options, &tree, spec, sealed)?;
    }
    Ok(tree)
}

/// What the source of a bind mount is protected by stays, as libcontainer leaves it.
fn only_restricting(attr: MountAttr) -> MountAttr {
    MountAttr {
        clear: attr.clear & libc::MOUNT_ATTR__ATIME,
        ..attr
    }
}

/// Maps the ids of a mount as its own mappings say, or, where it has none, the container's.
fn map_ids(
    mount: &Mount,
    options: &MountOptions,
    tree: &OwnedFd,
    spec: &Spec,
    sealed: bool,
) -> Result<()> {
    let linux = spec.linux().as_ref();
    let (uids, gids) = match (mount.uid_mappings(), mount.gid_mappings()) {
        (Some(uids), Some(gids)) => (Some(uids), Some(gids)),
        (None, None) => (
            linux.and_then(|linux| linux.uid_mappings().as_ref()),
            linux.and_then(|linux| linux.gid_mappings().as_ref()),
        ),
        _ => (None, None),
    };
    let (Some(uids), Some(gids)) = (uids, gids) else {
        return Err(Error::unsupported(
            format!("mounts: ids of {}", mount.destination().display()),
            "an idmapped mount needs both uidMappings and gidMappings, or a user namespace's",
        ));
    };
    if sealed {
        owner_is_mapped(mount, tree, uids)?;
    }
    let recursive = options.id_mapped == Some(Depth::Recursive);
    set_id_mapping(tree, uids, gids, recursive).map_err(|error| id_mapping_error(mount, error))
}

/// The directory that is mounted must be owned by who the mapping was made for: the path may lead
/// elsewhere by now.
fn owner_is_mapped(mount: &Mount, tree: &OwnedFd, uids: &[LinuxIdMapping]) -> Result<()> {
    let source = mount.source().clone().unwrap_or_default();
    let owner = fstat(tree)
        .map_err(|errno| Error::io("stat", &source)(errno.into()))?
        .st_uid;
    let is_mapped = uids.iter().any(|map| {
        owner
            .checked_sub(map.container_id())
            .is_some_and(|offset| offset < map.size())
    });
    if is_mapped {
        return Ok(());
    }
    Err(Error::Preflight {
        path: source,
        reason: format!("belongs to uid {owner}, for whom its mapping was not made"),
    })
}

/// A sealed bundle's sources are canonical paths: one that leads through a link now is not what was looked
/// at.
fn clone_tree(mount: &Mount, options: &MountOptions, sealed: bool) -> Result<OwnedFd> {
    let path = mount.source().clone().unwrap_or_default();
    let failed = |errno: Errno| Error::io("open the source of a mount,", &path)(errno.into());
    let source = openat2(
        CWD,
        &path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        if sealed {
            ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS
        } else {
            ResolveFlags::empty()
        },
    )
    .map_err(failed)?;
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    flags.set(OpenTreeFlags::AT_RECURSIVE, options.recursive);
    open_tree(&source, "", flags).map_err(failed)
}

fn new_tmpfs(mount: &Mount, options: &MountOptions, spec: &Spec) -> Result<OwnedFd> {
    let owner = root_of(spec);
    let make = || -> rustix::io::Result<OwnedFd> {
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&context, "source", "tmpfs")?;
        if let Some((uid, gid)) = owner {
            // What is left of the mounts is made by the container's root, some of it in here.
            fsconfig_set_string(&context, "uid", uid.to_string())?;
            fsconfig_set_string(&context, "gid", gid.to_string())?;
        }
        for option in &options.data {
            match option.split_once('=') {
                Some((key, value)) => fsconfig_set_string(&context, key, value)?,
                None => fsconfig_set_flag(&context, option.as_str())?,
            }
        }
        fsconfig_create(&context)?;
        fsmount(
            &context,
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::empty(),
        )
    };
    make().map_err(|errno| Error::io("make the tmpfs", mount.destination())(errno.into()))
}

/// The ids that the root of a new user namespace has outside.
fn root_of(spec: &Spec) -> Option<(u32, u32)> {
    let linux = spec.linux().as_ref()?;
    let outside = |maps: &Option<Vec<LinuxIdMapping>>| {
        let map = maps.iter().flatten().find(|map| map.container_id() == 0);
        map.map(LinuxIdMapping::host_id)
    };
    Some((
        outside(linux.uid_mappings())?,
        outside(linux.gid_mappings())?,
    ))
}

fn set_attributes(tree: &OwnedFd, attr: MountAttr, recursive: bool) -> std::io::Result<()> {
    if attr == MountAttr::default() {
        return Ok(());
    }
    mount_setattr(tree, attr, recursive)
}

fn set_id_mapping(
    tree: &OwnedFd,
    uids: &[LinuxIdMapping],
    gids: &[LinuxIdMapping],
    recursive: bool,
) -> std::io::Result<()> {
    let namespace = user_namespace(&map_text(uids), &map_text(gids))?;
    let number = u64::try_from(namespace.as_raw_fd()).map_err(std::io::Error::other)?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_IDMAP,
        user_namespace: number,
        ..MountAttr::default()
    };
    mount_setattr(tree, attr, recursive)
}

/// The text of a `uid_map` file: ids on the file system, ids on the host, how many.
fn map_text(mappings: &[LinuxIdMapping]) -> String {
    mappings
        .iter()
        .map(|map| format!("{} {} {}\n", map.container_id(), map.host_id(), map.size()))
        .collect()
}

fn id_mapping_error(mount: &Mount, error: std::io::Error) -> Error {
    let source = mount.source().clone().unwrap_or_default();
    if error.raw_os_error() == Some(libc::EINVAL) {
        return Error::unsupported(
            format!("mounts: uidMappings of {}", mount.destination().display()),
            format!(
                "this kernel can't idmap the file system of {}; hint: ext4, xfs and btrfs can be",
                source.display()
            ),
        );
    }
    Error::io("map the ids of mount", source)(error)
}

fn attach(tree: &OwnedFd, at: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let mut flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    flags.set(
        MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
        path.as_os_str().is_empty(),
    );
    move_mount(tree, "", at, path, flags)
        .map_err(Error::step("attach a mount to the root file system"))
}

/// The target for `tree` below `root`, made where a tmpfs of ours lacks it.
fn open_target(root: BorrowedFd<'_>, destination: &Path, tree: &OwnedFd) -> Result<OwnedFd> {
    let relative = destination.strip_prefix("/").unwrap_or(destination);
    match open_below(root, relative, OFlags::empty()) {
        Err(Errno::NOENT) => {
            make_target(root, relative, tree)
                .map_err(|errno| Error::io("make mount target", destination)(errno.into()))?;
            open_below(root, relative, OFlags::empty())
        }
        other => other,
    }
    .map_err(|errno| Error::Preflight {
        path: destination.to_path_buf(),
        reason: match errno {
            Errno::LOOP => "a mount target must not lead through a symbolic link".to_owned(),
            other => format!("can't be opened as a mount target: {other}"),
        },
    })
}

/// Makes a directory for a directory and an empty file for anything else, with the directories above.
fn make_target(root: BorrowedFd<'_>, relative: &Path, tree: &OwnedFd) -> rustix::io::Result<()> {
    let is_directory = FileType::from_raw_mode(fstat(tree)?.st_mode) == FileType::Directory;
    if is_directory {
        return make_directories(root, relative).map(drop);
    }
    let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
        return Err(Errno::INVAL);
    };
    let parent = make_directories(root, parent)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(&parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
}
