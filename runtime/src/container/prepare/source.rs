//! What is mounted: a detached mount with its attributes and mapped ids.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use bundles::promise::is_bind;
use libcontainer::oci_spec::runtime::{LinuxIdMapping, LinuxIdMappingBuilder, Mount, Spec};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fstat, openat2, statfs};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, open_tree,
};

use super::is_id_mapped;
use crate::container::id_maps::outside;
use crate::container::mount_options::{self, Depth, MountOptions};
use crate::container::{Error, Result};
use crate::sys::{MountAttr, UnmappedNamespace, mount_setattr, user_namespace};

/// A detached mount, with all its attributes set before anybody can reach it. `namespace` is for the ids, where they are
/// mapped and there is one already.
pub(super) fn open_source(
    mount: &Mount,
    spec: &Spec,
    sealed: bool,
    namespace: Option<&UnmappedNamespace>,
) -> Result<OwnedFd> {
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
        let recursive = options.id_mapped == Some(Depth::Recursive);
        let (uids, gids) = mappings(mount, spec)?;
        if sealed {
            owner_is_mapped(mount, &tree, uids)?;
        }
        set_id_mapping(&tree, uids, gids, recursive, namespace)
            .map_err(|error| id_mapping_error(mount, error))?;
    }
    Ok(tree)
}

/// What the source of a bind mount is protected by stays, as libcontainer leaves it. `mount_plan` sees to that for all
/// mounts but late ones, whose options are the bundle's own; opt-server, whose projects they are, writes to them first, and
/// gives up on one that can't be written to.
fn only_restricting(attr: MountAttr) -> MountAttr {
    MountAttr {
        clear: attr.clear & libc::MOUNT_ATTR__ATIME,
        ..attr
    }
}

/// How a mount's ids are mapped: as its own mappings say, or, where it has none, the container's.
fn mappings<'a>(
    mount: &'a Mount,
    spec: &'a Spec,
) -> Result<(&'a [LinuxIdMapping], &'a [LinuxIdMapping])> {
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
    Ok((uids, gids))
}

/// The directory that is mounted must be owned by who the mapping was made for: the path may lead
/// elsewhere by now.
fn owner_is_mapped(mount: &Mount, tree: &OwnedFd, uids: &[LinuxIdMapping]) -> Result<()> {
    let source = mount.source().clone().unwrap_or_default();
    let owner = fstat(tree)
        .map_err(|errno| Error::io("stat", &source)(errno.into()))?
        .st_uid;
    if outside(uids, owner).is_some() {
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
        set_options(&context, options.data.iter().map(String::as_str))?;
        fsconfig_create(&context)?;
        fsmount(
            &context,
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::empty(),
        )
    };
    make().map_err(|errno| Error::io("make the tmpfs", mount.destination())(errno.into()))
}

/// Sets a file system's own options, such as `size=1m` or `noswap`.
///
/// # Errors
/// Those of fsconfig(2).
pub(in crate::container) fn set_options<'a>(
    context: &OwnedFd,
    options: impl Iterator<Item = &'a str>,
) -> rustix::io::Result<()> {
    for option in options {
        match option.split_once('=') {
            Some((key, value)) => fsconfig_set_string(context, key, value)?,
            None => fsconfig_set_flag(context, option)?,
        }
    }
    Ok(())
}

/// The ids that the root of a new user namespace has outside.
fn root_of(spec: &Spec) -> Option<(u32, u32)> {
    let linux = spec.linux().as_ref()?;
    Some((
        outside(linux.uid_mappings().as_deref()?, 0)?,
        outside(linux.gid_mappings().as_deref()?, 0)?,
    ))
}

pub(in crate::container) fn set_attributes(
    tree: &OwnedFd,
    attr: MountAttr,
    recursive: bool,
) -> std::io::Result<()> {
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
    namespace: Option<&UnmappedNamespace>,
) -> std::io::Result<()> {
    let (uids, gids) = (map_text(uids), map_text(gids));
    let namespace = match namespace {
        Some(namespace) => namespace.map(&uids, &gids),
        None => user_namespace(&uids, &gids),
    }?;
    let number = u64::try_from(namespace.as_raw_fd()).map_err(std::io::Error::other)?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_IDMAP,
        user_namespace: number,
        ..MountAttr::default()
    };
    mount_setattr(tree, attr, recursive)
}

/// Whether ids can be mapped in the file system of `directory`.
///
/// # Errors
/// Where the kernel refuses for another reason.
pub(in crate::container) fn can_map_ids(directory: &Path) -> std::io::Result<bool> {
    // Those that nearly every project is on, and that always can.
    if ALWAYS_CAN.contains(&statfs(directory)?.f_type) {
        return Ok(true);
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, directory, flags)?;
    let mapping = LinuxIdMappingBuilder::default()
        .container_id(0_u32)
        .host_id(ANY_ID)
        .size(1_u32)
        .build()
        .map_err(std::io::Error::other)?;
    match set_id_mapping(&tree, &[mapping], &[mapping], false, None) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The magic numbers of ext4, xfs and btrfs: linux/magic.h.
const ALWAYS_CAN: [rustix::fs::FsWord; 3] = [0xef53, 0x5846_5342, 0x9123_683e];

/// Any id will do: the mount is never attached.
const ANY_ID: u32 = 1;

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
