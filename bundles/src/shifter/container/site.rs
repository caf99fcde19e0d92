//! What every container of the site has mounted, and its modules bring.

use std::fs;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use super::mount::{Limits, Planned, bind, file_system, planned};
use super::tree::{Found, LastLink, Shown, Shows, Tree};
use super::{ContainerError, Pinned, Places, Request, RunHook, caches, hooks};
use crate::bundle::Entry;
use crate::promise::SYS_PARTS;
use crate::shifter::sshd;
use crate::shifter::volumes::VolumeMap;

const UDI_IMAGE: &str = "/opt/udiImage";
const READ_ONLY: [&str; 5] = ["bind", "nosuid", "nodev", "ro", "private"];
const TEMPORARY: [&str; 4] = ["bind", "nosuid", "nodev", "private"];

/// Mounts all of it in `tree`, in order, and runs the site's scripts where they have their turn.
pub(super) fn mounts(
    request: &Request<'_>,
    tree: &mut Tree<'_>,
    run_hook: &mut RunHook<'_>,
) -> Result<Vec<Planned>, ContainerError> {
    let config = request.config;
    let mut sites = vec![];
    let mut run = |key: &str, script: Option<&Path>, tree: &mut Tree<'_>, sites: &mut _| {
        hooks::run(
            run_hook,
            key.to_owned(),
            script,
            &request.places,
            tree,
            sites,
        )
    };
    let hook = config.pre_mount_hook.as_deref();
    run("sitePreMountHook", hook, tree, &mut sites)?;
    let mut all = vec![file_system(
        "/proc",
        "proc",
        &["nosuid", "nodev", "noexec"],
        "every container has it",
    )];
    all.extend(system(request, tree));
    all.extend(devices());
    all.extend(host(request, tree)?);
    sites.extend(udi_image(request, tree)?);
    sites.extend(keys(request, tree)?);
    for mount in &request.devices.mounts {
        let map = VolumeMap {
            from: mount.from.display().to_string(),
            to: mount.to.display().to_string(),
            read_only: !mount.writable,
            recursive: false,
            propagation: None,
            cache: None,
        };
        let key = format!("device {}", mount.device);
        sites.push(site_mount(request, tree, &key, &map)?);
    }
    for map in &config.site_fs {
        sites.push(site_mount(request, tree, "siteFs", map)?);
    }
    let hook = config.post_mount_hook.as_deref();
    run("sitePostMountHook", hook, tree, &mut sites)?;
    for module in &request.modules {
        let key = format!("module_{}_siteFs", module.name);
        for map in &module.site_fs {
            sites.push(site_mount(request, tree, &key, map)?);
        }
    }
    for module in &request.modules {
        let key = format!("module_{}_roothook", module.name);
        run(&key, module.root_hook.as_deref(), tree, &mut sites)?;
    }
    all.extend(sites);
    Ok(all)
}

fn devices() -> [Planned; 2] {
    [
        file_system(
            "/dev",
            "tmpfs",
            &["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"],
            "null, zero, full, random, urandom and tty",
        ),
        file_system(
            "/dev/pts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
            ],
            "terminals of its own",
        ),
    ]
}

/// `/sys`: the kernel's, what root has mounted, or, in a user namespace that sees the host's network and so can't mount
/// one, the parts of the host's that MPI needs.
fn system(request: &Request<'_>, tree: &mut Tree<'_>) -> Vec<Planned> {
    const WHY: &str = "MPI and OpenMP look here for processors and network cards";
    const SHOWN: [&str; 6] = ["bind", "nosuid", "nodev", "noexec", "ro", "private"];
    let shown = |path: &Path, source: &Path| planned(path, "bind", source, &SHOWN, WHY.to_owned());
    match &request.places.system {
        Some(source) => vec![shown(Path::new("/sys"), source)],
        None if request.user_namespace => SYS_PARTS
            .map(Path::new)
            .into_iter()
            .filter(|part| part.is_dir())
            .map(|part| {
                tree.layer.add_target(part, true);
                shown(part, part)
            })
            .collect(),
        None => vec![file_system(
            "/sys",
            "sysfs",
            &["nosuid", "nodev", "noexec", "ro"],
            WHY,
        )],
    }
}

/// The host's, that every container shares.
fn host(request: &Request<'_>, tree: &mut Tree<'_>) -> Result<Vec<Planned>, ContainerError> {
    let places = &request.places;
    let shared = [
        (
            "/dev/shm",
            &places.shared_memory,
            "the host's shared memory: the tasks of a job on one node talk through it",
        ),
        ("/tmp", &places.temporary, "the host's temporary directory"),
        (
            "/var/tmp",
            &places.var_temporary,
            "the host's temporary directory",
        ),
    ];
    let mut all = vec![];
    for (destination, source, why) in shared {
        // The site may have another in its place.
        let is_sites = |map: &VolumeMap| map.to == destination;
        if !source.is_dir() || request.config.site_fs.iter().any(is_sites) {
            continue;
        }
        let destination = Path::new(destination);
        let (source, limits) = show(request, tree, destination, source, false, "the host's")?;
        let options: Vec<&str> = TEMPORARY.into_iter().chain(limits.options()).collect();
        let why = why.to_owned();
        all.push(planned(destination, "bind", &source, &options, why));
    }
    Ok(all)
}

/// `/opt/udiImage`: what `optUdiImage` has, and in `modules` a directory for each module with a `copyPath`. What the image
/// has there is hidden.
fn udi_image(request: &Request<'_>, tree: &mut Tree<'_>) -> Result<Vec<Planned>, ContainerError> {
    let udi_image = Path::new(UDI_IMAGE);
    let mut wanted: Vec<(String, PathBuf, PathBuf)> = vec![];
    if let Some(directory) = &request.config.opt_udi_image {
        let key = "optUdiImage";
        let failed = |source| ContainerError::File {
            key: key.to_owned(),
            path: directory.clone(),
            source,
        };
        let entries = fs::read_dir(directory).map_err(failed)?;
        let mut names = entries
            .map(|entry| Ok(entry.map_err(failed)?.file_name()))
            .collect::<Result<Vec<_>, ContainerError>>()?;
        names.sort();
        let of_name = |name| (key.to_owned(), udi_image.join(&name), directory.join(&name));
        wanted.extend(names.into_iter().map(of_name));
    }
    for module in &request.modules {
        let destination = udi_image.join("modules").join(&module.name);
        let key = format!("module_{}_copyPath", module.name);
        let source = module.copy_path.iter();
        wanted.extend(source.map(|source| (key.clone(), destination.clone(), source.clone())));
    }
    let failed = |errno: rustix::io::Errno| ContainerError::Image {
        path: UDI_IMAGE.to_owned(),
        source: errno.into(),
    };
    tree.hide_images(udi_image).map_err(failed)?;
    let modules = udi_image.join("modules");
    tree.layer.add_target(&modules, true);
    let mut all = vec![];
    for (key, destination, source) in wanted {
        let (source, _) = show(request, tree, &destination, &source, false, &key)?;
        let why = format!("{key} of the site");
        all.push(planned(&destination, "bind", &source, &READ_ONLY, why));
    }
    // Of what is hidden one by one, this is back.
    if tree.without_root && matches!(tree.layer.entry(&modules), Some(Entry::Directory { .. })) {
        tree.hide_images(&modules).map_err(failed)?;
    }
    Ok(all)
}

/// The keys of an sshd and its clients.
fn keys(request: &Request<'_>, tree: &mut Tree<'_>) -> Result<Option<Planned>, ContainerError> {
    let Some(sshd) = &request.sshd else {
        return Ok(None);
    };
    let destination = Path::new(sshd::DIRECTORY);
    let (source, _) = show(
        request,
        tree,
        destination,
        &sshd.keys,
        false,
        "keys of sshd",
    )?;
    let why = "keys of the user's sshd, which lets in only its own job".to_owned();
    let options = [READ_ONLY.as_slice(), &["noexec"]].concat();
    Ok(Some(planned(destination, "bind", &source, &options, why)))
}

fn site_mount(
    request: &Request<'_>,
    tree: &mut Tree<'_>,
    key: &str,
    map: &VolumeMap,
) -> Result<Planned, ContainerError> {
    let refuse = |reason: String| ContainerError::SiteMount {
        key: key.to_owned(),
        map: map.to_string(),
        reason,
    };
    // Links of the image's on the way are followed; the last one would only be in the way.
    let to = Path::new(&map.to);
    let followed = tree
        .follow(to, LastLink::Kept)
        .map_err(|errno| refuse(format!("{}: {errno}", map.to)))?;
    let destination = followed.path;
    let source = match map.cache {
        Some(_) => caches::open(request, map)?.0,
        None => PathBuf::from(&map.from),
    };
    if let Found::Nothing = followed.found
        && let super::tree::Part::Mount(_) = followed.above.part
    {
        return Err(refuse(format!(
            "{} is not there, in what another mount shows",
            destination.display()
        )));
    }
    let (source, limits) = show(request, tree, &destination, &source, map.recursive, key)?;
    if let Some(shown) = tree.mounts.last_mut() {
        shown.limits.read_only |= map.read_only;
    }
    let why = format!("{key} of the site: {map}");
    let default = request.config.propagation;
    Ok(bind(map, &destination, &source, default, limits, why))
}

/// Adds what is at `source` to the tree, with a target for it in the layer. Where the container has it from: there, or
/// where root mounts it; and what can't be done there on the host.
fn show(
    request: &Request<'_>,
    tree: &mut Tree<'_>,
    destination: &Path,
    source: &Path,
    recursive: bool,
    key: &str,
) -> Result<(PathBuf, Limits), ContainerError> {
    let failed = |errno: rustix::io::Errno| ContainerError::File {
        key: key.to_owned(),
        path: source.to_path_buf(),
        source: errno.into(),
    };
    if source.to_str().is_none() {
        return Err(ContainerError::NotText(source.to_path_buf()));
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let opened = openat(CWD, source, flags, Mode::empty()).map_err(failed)?;
    let status = fstat(&opened).map_err(failed)?;
    let is_directory = FileType::from_raw_mode(status.st_mode) == FileType::Directory;
    if !tree.is_in_mount(destination) {
        tree.layer.add_target(destination, is_directory);
    }
    let from = match &request.places.host {
        None => source.to_path_buf(),
        Some(host) => host.join(tree.mounts.len().to_string()),
    };
    let limits = Limits::of(&opened).map_err(failed)?;
    tree.mounts.push(Shown {
        destination: destination.to_path_buf(),
        recursive: recursive || tree.must_show_below(&opened),
        source: Shows::Hosts(opened),
        limits,
    });
    Ok((from, limits))
}

/// What root mounts for a runtime that isn't its own: all that [`show`] has added.
pub(super) fn pinned(places: &Places, mounts: Vec<Shown>) -> Result<Vec<Pinned>, ContainerError> {
    let Some(host) = &places.host else {
        return Ok(vec![]);
    };
    let pin = |(number, shown): (usize, Shown)| {
        // What the layer or the image shows is no mount of the site's.
        let Shows::Hosts(source) = shown.source else {
            return None;
        };
        let failed = |errno: rustix::io::Errno| ContainerError::File {
            key: "the host's".to_owned(),
            path: shown.destination.clone(),
            source: errno.into(),
        };
        let status = fstat(&source).map_err(failed);
        Some(status.map(|status| Pinned {
            source,
            place: host.join(number.to_string()),
            is_directory: FileType::from_raw_mode(status.st_mode) == FileType::Directory,
            recursive: shown.recursive,
        }))
    };
    mounts.into_iter().enumerate().filter_map(pin).collect()
}

/// Whether any of `mounts` lets later mounts of the host's in.
pub(super) fn any_is_slave<'a>(mut mounts: impl Iterator<Item = &'a Mount>) -> bool {
    mounts.any(|mount| {
        let mut options = mount.options().iter().flatten();
        options.any(|option| ["slave", "rslave"].contains(&option.as_str()))
    })
}
