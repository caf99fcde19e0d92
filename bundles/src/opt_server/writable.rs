//! `mount-writable`: what of the host's a command can write besides its project.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::config::{Command, Config};
use super::mounts::{Wanted, refuse_reserved};
use super::{Request, SandboxError};
use crate::bundle::HostPath;

const KEY: &str = "mount-writable";

/// Of which nothing is ever writable: whoever could write there could change what the host runs.
const SYSTEM: [&str; 12] = [
    "/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/root", "/run", "/sbin",
    "/sys", "/usr",
];

/// One path of the host's, writable inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WritablePath {
    pub is_directory: bool,
    /// Uid and gid, whose files are the command's own inside.
    pub owner: (u32, u32),
    pub why: String,
}

/// What is writable, by path: canonical, and the same inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Writables {
    pub mounts: BTreeMap<PathBuf, WritablePath>,
    pub links: BTreeSet<(PathBuf, PathBuf)>,
}

/// Follows each entry, and refuses what would let a command change the host, another command or itself.
pub(super) fn plan(request: &Request<'_>) -> Result<Writables, SandboxError> {
    let mut writables = Writables::default();
    for entry in &request.command.extensions.mount_writable {
        let followed = HostPath::follow(&entry.path).map_err(|source| SandboxError::Path {
            command: request.origin(),
            key: KEY,
            source,
        })?;
        let wanted = Wanted::of(&entry.path, KEY);
        refuse_reserved(request, &wanted, &followed.canonical)?;
        let found = fs::metadata(&followed.canonical).map_err(|source| SandboxError::Path {
            command: request.origin(),
            key: KEY,
            source: crate::bundle::HostPathError::Io {
                path: entry.path.clone(),
                source,
            },
        })?;
        let refused = refused(request, &followed.canonical)
            .or_else(|| lent_link(&followed, found.uid()))
            .or_else(|| {
                (!found.is_dir() && !found.is_file())
                    .then(|| "it is neither a directory nor a regular file".to_owned())
            });
        if let Some(reason) = refused {
            return Err(SandboxError::NotWritable {
                command: request.origin(),
                path: followed.canonical,
                reason,
            });
        }
        let why = match &entry.why {
            Some(why) => format!("\"{KEY}\" of {}: {why}", request.origin()),
            None => format!("\"{KEY}\" of {}", request.origin()),
        };
        let path = WritablePath {
            is_directory: found.is_dir(),
            owner: (found.uid(), found.gid()),
            why,
        };
        writables.mounts.insert(followed.canonical, path);
        writables.links.extend(followed.links);
    }
    Ok(writables)
}

/// The first path in `mount-writable`, and its command, that is one of `places`, above one or below one: for places
/// that no command may write, which the caller knows. What can't be followed is refused when it is called.
pub fn writable_near<'a>(
    config: &'a Config,
    places: &'a [PathBuf],
) -> Option<(&'a Command, &'a Path, &'a Path)> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let real_places: Vec<(&PathBuf, PathBuf)> =
        places.iter().map(|place| (place, real(place))).collect();
    config.commands.iter().find_map(|command| {
        command.extensions.mount_writable.iter().find_map(|entry| {
            let writable = real(&entry.path);
            let near = real_places
                .iter()
                .find(|(_, place)| place.starts_with(&writable) || writable.starts_with(place));
            near.map(|(place, _)| (command, entry.path.as_path(), place.as_path()))
        })
    })
}

/// Why nobody may write at or below `canonical`.
fn refused(request: &Request<'_>, canonical: &Path) -> Option<String> {
    if let Some(system) = SYSTEM.iter().find(|system| canonical.starts_with(system)) {
        return Some(format!("{system} is the host's own"));
    }
    let covers = |path: &Path| {
        let real = path.canonicalize();
        path.starts_with(canonical) || real.is_ok_and(|real| real.starts_with(canonical))
    };
    if covers(&request.config.path) {
        return Some("the configuration is there".to_owned());
    }
    for command in &request.config.commands {
        // A plug-in that is only named is looked for in the host's directories of libraries.
        let plug_ins = command.extensions.dlopen.iter();
        let mut run = std::iter::once(&command.executable)
            .chain(&command.mount_readable)
            .chain(plug_ins.filter(|path| path.is_absolute()));
        if let Some(path) = run.find(|path| covers(path)) {
            let (path, name) = (path.display(), &command.name);
            return Some(format!(
                "it holds {path}, which the command \"{name}\" reads or runs"
            ));
        }
    }
    None
}

/// A link on the way that another user made could lead anywhere tomorrow.
fn lent_link(followed: &HostPath, owner: u32) -> Option<String> {
    followed.links.iter().find_map(|(link, _)| {
        let maker = link.symlink_metadata().ok()?.uid();
        (maker != 0 && maker != owner).then(|| {
            let link = link.display();
            format!("the way to it leads through {link}, a link of uid {maker}'s")
        })
    })
}
