//! A user's volumes: what they come from, opened as the user, and where they may go.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, openat};
use rustix::io::Errno;

use super::mount::{Limits, Planned, bind};
use super::tree::{Found, LastLink, Part, Shown, Shows, There, Tree};
use super::{ContainerError, Request, caches};
use crate::shifter::image::Caller;
use crate::shifter::volumes::{Asker, Propagation, VolumeMap, check_target};

/// What a volume comes from.
#[derive(Debug)]
pub struct Source {
    /// Where that is, free of links.
    path: PathBuf,
    part: Part,
    is_directory: bool,
    /// Absent in the layer, which isn't made yet.
    opened: Option<OwnedFd>,
    limits: Limits,
}

/// What has to be mounted on `place` before the container is created: it was opened, a volume as the user, so that no
/// other path can get into its place.
#[derive(Debug)]
pub struct Pinned {
    /// What was opened.
    pub source: OwnedFd,
    /// An absent path among [`Places::volumes`](super::Places::volumes) or [`Places::host`](super::Places::host).
    pub place: PathBuf,
    /// Whether that is to be a directory, or else a file.
    pub is_directory: bool,
    /// Whether with what is mounted below it.
    pub recursive: bool,
}

fn refuse(map: &VolumeMap, reason: impl Into<String>) -> ContainerError {
    ContainerError::Volume {
        map: map.to_string(),
        reason: reason.into(),
    }
}

/// Opens what `map` comes from, with the rights of the calling thread.
pub(super) fn open(tree: &Tree<'_>, map: &VolumeMap) -> Result<Source, ContainerError> {
    let told = |errno: Errno| refuse(map, format!("{}: {errno}", map.from));
    if map.cache.is_some() {
        // Opened by root: the way there isn't the user's.
        return Ok(Source {
            path: PathBuf::new(),
            part: Part::Cache,
            is_directory: true,
            opened: None,
            limits: Limits::default(),
        });
    }
    let followed = tree
        .follow(Path::new(&map.from), LastLink::Followed)
        .map_err(told)?;
    let Found::There(There { part, kind, opened }) = followed.found else {
        return Err(refuse(map, format!("{} is not there", map.from)));
    };
    let path = followed.path;
    if path == Path::new("/") {
        return Err(refuse(
            map,
            "the whole container can't be mounted in itself",
        ));
    }
    let is_kernels = |tree: &str| path.starts_with(tree);
    if ["/proc", "/sys"].into_iter().any(is_kernels)
        || path.starts_with("/dev") && part == Part::Layer
    {
        let path = path.display();
        return Err(refuse(map, format!("{path} is the container's own")));
    }
    match kind {
        FileType::Directory | FileType::RegularFile => {}
        _ => {
            let path = path.display();
            return Err(refuse(
                map,
                format!("{path} is neither a directory nor a regular file"),
            ));
        }
    }
    if path.to_str().is_none() {
        return Err(ContainerError::NotText(path));
    }
    let opened = opened.map(|(file, _)| file);
    let is_directory = kind == FileType::Directory;
    if let Some(file) = opened.as_ref().filter(|_| is_directory) {
        must_be_entered(file).map_err(told)?;
    }
    Ok(Source {
        limits: limits(tree, part, opened.as_ref()).map_err(told)?,
        path,
        part,
        is_directory,
        opened,
    })
}

/// Whether the calling thread may enter a directory. One that it can only look at is nothing to be mounted.
fn must_be_entered(directory: &OwnedFd) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(directory, ".", flags, Mode::empty()).map(drop)
}

/// What can't be done where a volume comes from: neither on the host nor in what the container shows of it.
fn limits(tree: &Tree<'_>, part: Part, opened: Option<&OwnedFd>) -> Result<Limits, Errno> {
    let Part::Mount(number) = part else {
        return Ok(Limits::default());
    };
    let shown = &tree.mounts[number];
    match (&shown.source, opened) {
        (Shows::Hosts(_), Some(file)) => Ok(shown.limits.and(Limits::of(file)?)),
        _ => Ok(shown.limits),
    }
}

/// Mounts `source` as `map` says, as volume `number`.
pub(super) fn mount(
    request: &Request<'_>,
    tree: &mut Tree<'_>,
    map: &VolumeMap,
    source: Source,
    number: usize,
) -> Result<(Planned, Option<Pinned>), ContainerError> {
    let destination = target(tree, map, source.is_directory, &request.caller)?;
    let Source {
        path,
        part,
        is_directory,
        opened,
        limits,
    } = source;
    let places = &request.places;
    let below = |opened: &OwnedFd| tree.must_show_below(opened);
    let recursive = opened.as_ref().is_some_and(below);
    // The layer and the store's images are nobody's to change.
    let is_mounts = matches!(part, Part::Mount(_)) && tree.root_path(part, &path).is_none();
    let is_changeable = request.image_is_local || is_mounts || part == Part::Cache;
    let opened = match part {
        Part::Cache => Some(caches::open(request, map)?.1),
        _ => opened,
    };
    let (from, pinned, shows) = match opened {
        Some(opened) if is_changeable => {
            let place = places.volumes.join(number.to_string());
            let pinned = Pinned {
                source: duplicate(map, &opened)?,
                place: place.clone(),
                is_directory,
                recursive,
            };
            (place, Some(pinned), Shows::Hosts(opened))
        }
        _ => {
            let path = tree.root_path(part, &path).unwrap_or(path);
            let below = path.strip_prefix("/").unwrap_or(&path);
            (places.rootfs.join(below), None, Shows::Root(path))
        }
    };
    let asked = Limits {
        read_only: map.read_only,
        no_exec: false,
    };
    tree.mounts.push(Shown {
        destination: destination.clone(),
        source: shows,
        recursive,
        limits: limits.and(asked),
    });
    let why = format!("volume {map} of the user's");
    let default = Propagation::Private;
    let planned = bind(map, &destination, &from, default, limits, why);
    Ok((planned, pinned))
}

fn duplicate(map: &VolumeMap, opened: &OwnedFd) -> Result<OwnedFd, ContainerError> {
    opened
        .try_clone()
        .map_err(|error| refuse(map, error.to_string()))
}

/// Where a volume goes: what was written, and again where that leads. What isn't there is made in the layer.
fn target(
    tree: &mut Tree<'_>,
    map: &VolumeMap,
    is_directory: bool,
    caller: &Caller,
) -> Result<PathBuf, ContainerError> {
    let followed = tree
        .follow(Path::new(&map.to), LastLink::Kept)
        .map_err(|errno| refuse(map, format!("{}: {errno}", map.to)))?;
    let destination = followed.path;
    let shown = destination.display();
    let text = destination
        .to_str()
        .ok_or_else(|| ContainerError::NotText(destination.clone()))?;
    check_target(text, Asker::User).map_err(|problem| refuse(map, problem.to_string()))?;
    match &followed.found {
        Found::Link(_) => return Err(refuse(map, format!("{shown} is a symbolic link"))),
        Found::There(there) if (there.kind == FileType::Directory) != is_directory => {
            let (one, other) = match is_directory {
                true => ("directory", "file"),
                false => ("file", "directory"),
            };
            return Err(refuse(
                map,
                format!("a {one} can't be mounted on {shown}, a {other}"),
            ));
        }
        Found::There(there) => must_be_users(tree, map, there, caller)?,
        Found::Nothing => match followed.above.part {
            Part::Layer | Part::Image => {}
            Part::Mount(_) | Part::Cache => {
                let reason =
                    format!("{shown} is not there, and can't be made in what is the host's");
                return Err(refuse(map, reason));
            }
        },
    }
    if !tree.is_in_mount(&destination) {
        tree.layer.add_target(&destination, is_directory);
    }
    Ok(destination)
}

/// Users may cover what is the container's, the host's temporary directories, volumes of theirs, and their own files.
fn must_be_users(
    tree: &Tree<'_>,
    map: &VolumeMap,
    there: &There,
    caller: &Caller,
) -> Result<(), ContainerError> {
    let Part::Mount(number) = there.part else {
        return Ok(());
    };
    let destination = &tree.mounts[number].destination;
    let is_temporary = ["/tmp", "/var/tmp"]
        .iter()
        .any(|temporary| destination == Path::new(temporary));
    let owner = there.opened.as_ref().map(|(_, status)| status.st_uid);
    if is_temporary || number >= tree.site_mounts || owner == Some(caller.uid) {
        return Ok(());
    }
    Err(refuse(
        map,
        format!("{} is the site's and doesn't belong to you", map.to),
    ))
}
