//! What of a container comes from outside, so that criu neither saves nor makes it: bind mounts, the cgroup
//! mounts of version 1, joined network and pid namespaces, pipes to the caller.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bundles::promise::{is_bind, parse_mountinfo};
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::super::cgroup::Placement;
use super::super::{Bundle, Error, Result};
use super::criu::Criu;
use crate::preflight::{self, Links};

/// Where runc, too, keeps what the standard descriptors were.
const DESCRIPTORS_FILE: &str = "descriptors.json";

/// Where the paths of cgroup mounts are kept.
const CGROUPS_FILE: &str = "cgroup-mounts.json";

/// The namespaces that criu can take from outside, as the spec, /proc and criu's keys name them.
const NAMESPACES: [(LinuxNamespaceType, &str, &str); 2] = [
    (LinuxNamespaceType::Network, "net", "extRootNetNS"),
    (LinuxNamespaceType::Pid, "pid", "extRootPidNS"),
];

fn path_of(spec: &Spec, typ: LinuxNamespaceType) -> Option<PathBuf> {
    let listed = spec.linux().as_ref()?.namespaces().iter().flatten();
    listed
        .filter(|namespace| namespace.typ() == typ)
        .find_map(|namespace| namespace.path().clone())
}

/// Names the joined namespaces for a dump.
///
/// # Errors
/// Where one is gone.
pub(super) fn name_namespaces(criu: &mut Criu, spec: &Spec) -> Result<()> {
    for (typ, name, key) in NAMESPACES {
        if let Some(path) = path_of(spec, typ) {
            let inode = fs::metadata(&path)
                .map_err(Error::io("look at", &path))?
                .ino();
            criu.option("--external", format!("{name}[{inode}]:{key}"));
        }
    }
    Ok(())
}

/// Gives the joined namespaces to a restore.
///
/// # Errors
/// Where one can't be opened; of a type that criu can't be given.
pub(super) fn give_namespaces(criu: &mut Criu, spec: &Spec) -> Result<()> {
    let listed = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.namespaces().as_ref());
    for namespace in listed.into_iter().flatten() {
        let Some(path) = namespace.path() else {
            continue;
        };
        let known = NAMESPACES.iter().find(|(typ, ..)| *typ == namespace.typ());
        let Some((_, _, key)) = known else {
            return Err(Error::unsupported(
                format!(
                    "restore into the {} namespace {}",
                    namespace.typ(),
                    path.display()
                ),
                "criu takes network and pid namespaces only",
            ));
        };
        criu.inherit(File::open(path).map_err(Error::io("open", path))?, key)?;
    }
    Ok(())
}

/// Names the mounts for a dump of the process `pid`, each by its path inside, and notes those of cgroups.
///
/// # Errors
/// Where the mounts can't be read or noted.
pub(super) fn name_mounts(criu: &mut Criu, bundle: &Bundle, pid: i32, images: &Path) -> Result<()> {
    for (target, _) in binds(bundle)? {
        let shown = target.display();
        criu.option("--external", format!("mnt[{shown}]:{shown}"));
    }
    let path = format!("/proc/{pid}/mountinfo");
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let mounts = parse_mountinfo(&text).map_err(|error| Error::Config {
        path: path.into(),
        reason: error.to_string(),
    })?;
    // In a cgroup namespace of its own the container has mounted them itself.
    let cgroups: Vec<PathBuf> = mounts
        .into_iter()
        .filter(|mount| mount.file_system == "cgroup" && mount.root != Path::new("/"))
        .map(|mount| mount.path)
        .collect();
    for target in &cgroups {
        let shown = target.display();
        criu.option("--external", format!("mnt[{shown}]:{shown}"));
    }
    write_json(images, CGROUPS_FILE, &cgroups)
}

/// Gives the mounts to a restore, each from where the bundle says, or from the new cgroup.
///
/// # Errors
/// Where the notes of the dump can't be read.
pub(super) fn give_mounts(
    criu: &mut Criu,
    bundle: &Bundle,
    cgroup: &Placement,
    images: &Path,
) -> Result<()> {
    for (target, source) in binds(bundle)? {
        let (target, source) = (target.display(), source.display());
        criu.option("--external", format!("mnt[{target}]:{source}"));
    }
    let noted: Vec<PathBuf> = read_json(images, CGROUPS_FILE)?;
    for target in noted {
        let directory = target
            .file_name()
            .and_then(|name| cgroup.directory_in(name));
        let directory = directory.ok_or_else(|| Error::Criu {
            action: "restore",
            reason: format!(
                "{}: this host has no such cgroup hierarchy",
                target.display()
            ),
        })?;
        let (target, directory) = (target.display(), directory.display());
        criu.option("--external", format!("mnt[{target}]:{directory}"));
    }
    Ok(())
}

/// Bind mounts: their path inside, without links, and their source.
fn binds(bundle: &Bundle) -> Result<Vec<(PathBuf, PathBuf)>> {
    let targets = preflight::mount_targets(&bundle.rootfs, &bundle.spec, Links::Followed)?;
    let mounts = bundle.spec.mounts().iter().flatten();
    let pairs = std::iter::zip(mounts, targets).filter(|(mount, _)| is_bind(mount));
    Ok(pairs
        .filter_map(|(mount, target)| Some((target, mount.source().clone()?)))
        .collect())
}

/// Notes what the process's standard descriptors are.
///
/// # Errors
/// Where it can't be written.
pub(super) fn note_descriptors(pid: i32, images: &Path) -> Result<()> {
    let shown = |number: i32| {
        let link = fs::read_link(format!("/proc/{pid}/fd/{number}"));
        link.map_or("/dev/null".to_owned(), |target| {
            target.display().to_string()
        })
    };
    let descriptors: Vec<String> = (0..3).map(shown).collect();
    write_json(images, DESCRIPTORS_FILE, &descriptors)
}

/// Gives our own standard descriptors in the place of the pipes that were there.
///
/// # Errors
/// Where the note can't be read.
pub(super) fn give_descriptors(criu: &mut Criu, images: &Path) -> Result<()> {
    let noted: Vec<String> = read_json(images, DESCRIPTORS_FILE)?;
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let own = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    for (key, own) in std::iter::zip(noted, own) {
        if key.starts_with("pipe:") || key.starts_with("socket:") {
            criu.inherit(own, &key)?;
        }
    }
    Ok(())
}

fn write_json(images: &Path, name: &str, value: &impl serde::Serialize) -> Result<()> {
    let path = images.join(name);
    let text =
        serde_json::to_vec(value).map_err(|error| Error::io("write", &path)(error.into()))?;
    fs::write(&path, text).map_err(Error::io("write", &path))
}

fn read_json<T: serde::de::DeserializeOwned>(images: &Path, name: &str) -> Result<T> {
    let path = images.join(name);
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    crate::json::parse(&text).map_err(|fault| Error::Config {
        path,
        reason: fault.to_string(),
    })
}
