//! Which paths of the host's are mounted, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::config::MountDependencies;
use super::sandbox::NOT_UTF8;
use super::{PROJECT, Request, SandboxError, TEMPORARY};
use crate::bundle::{Follower, HostPath};
use crate::elf::{Resolution, Role};

/// Reasons that a mount's line tells; the rest is counted.
const REASONS_TOLD: usize = 3;

/// One path of the host's, readable inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Readable {
    /// The canonical path on the host.
    pub source: PathBuf,
    pub is_directory: bool,
    reasons: Vec<String>,
}

impl Readable {
    /// The reasons on one line.
    pub(super) fn why(&self) -> String {
        let told = self.reasons.len().min(REASONS_TOLD);
        let mut text = self.reasons[..told].join("; ");
        if let Some(more) = self
            .reasons
            .len()
            .checked_sub(REASONS_TOLD)
            .filter(|n| *n > 0)
        {
            text = format!("{text}; and {more} more");
        }
        text
    }
}

/// Everything of the host's that is visible inside besides the project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Readables {
    /// By path inside.
    pub mounts: BTreeMap<PathBuf, Readable>,
    /// Symbolic links to recreate: where they stand, and their text.
    pub links: BTreeSet<(PathBuf, PathBuf)>,
    /// What a person may want to know about what isn't there.
    pub notes: Vec<String>,
}

/// A wanted path, before it is followed.
pub(super) struct Wanted {
    path: PathBuf,
    key: &'static str,
    reason: String,
}

impl Wanted {
    pub(super) fn of(path: &Path, key: &'static str) -> Self {
        Self {
            path: path.to_path_buf(),
            key,
            reason: String::new(),
        }
    }
}

/// Finds out what has to be mounted for `request`, whose executable needs `resolution`; `follower` has looked for that.
pub(super) fn plan(
    request: &Request<'_>,
    resolution: &Resolution,
    mut follower: Follower,
) -> Result<Readables, SandboxError> {
    let mut plan = Readables::default();
    for wanted in wanted(request, resolution) {
        let followed = follower
            .follow(&wanted.path)
            .map_err(|source| SandboxError::Path {
                command: request.origin(),
                key: wanted.key,
                source,
            })?;
        refuse_reserved(request, &wanted, &followed.canonical)?;
        plan.add(&wanted, followed);
    }
    plan.absorb();
    plan.notes.clone_from(&resolution.notes);
    Ok(plan)
}

fn wanted(request: &Request<'_>, resolution: &Resolution) -> Vec<Wanted> {
    let directories = request.command.mount_dependencies == MountDependencies::Directories;
    let mut wanted = vec![];
    for file in &resolution.files {
        if directories && file.role == Role::Library {
            // Both the directory that the loader looks in and the one that a link there leads to.
            for path in [&file.path, &file.canonical] {
                if let Some(parent) = path.parent() {
                    wanted.push(Wanted {
                        path: parent.to_path_buf(),
                        key: "mount-dependencies",
                        reason: format!("directory of {}: {}", name_of(path), file.reason),
                    });
                }
            }
        }
        // The file's own path too: its links must be there in either case.
        wanted.push(Wanted {
            path: file.path.clone(),
            key: "executable",
            reason: file.reason.clone(),
        });
    }
    wanted.extend(resolution.loader_config.iter().map(|path| Wanted {
        path: path.clone(),
        key: "executable",
        reason: "the dynamic loader's index: it finds a needed library only through it".to_owned(),
    }));
    let of_command = format!("\"mount-readable\" of {}", request.origin());
    let readable = request.command.mount_readable.iter().map(|path| Wanted {
        path: path.clone(),
        key: "mount-readable",
        reason: of_command.clone(),
    });
    wanted.extend(readable);
    // Names without a slash are among the resolution's files, at the places where they were found.
    let declared = request.command.extensions.dlopen.iter();
    let declared = declared.filter(|path| path.is_absolute());
    wanted.extend(declared.map(|path| Wanted {
        path: path.clone(),
        key: "dlopen",
        reason: format!("\"dlopen\" of {}", request.origin()),
    }));
    wanted
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The sandbox's own directories, and what can't be had read-only through a bind mount.
pub(super) fn refuse_reserved(
    request: &Request<'_>,
    wanted: &Wanted,
    canonical: &Path,
) -> Result<(), SandboxError> {
    let reason = match canonical.to_str() {
        Some("/") => "that would show the whole host",
        None => NOT_UTF8,
        Some(path) if is_within(path, "/proc") || is_within(path, "/dev") => {
            "the sandbox has its own"
        }
        Some(path) if path == TEMPORARY || is_within(path, PROJECT) => {
            "the sandbox has its own; name what is needed below it"
        }
        Some(_) => return Ok(()),
    };
    Err(SandboxError::Reserved {
        command: request.origin(),
        key: wanted.key,
        path: canonical.to_path_buf(),
        reason,
    })
}

/// Whether a canonical path is `directory` or below it.
fn is_within(path: &str, directory: &str) -> bool {
    let rest = path.strip_prefix(directory);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Readables {
    /// Whether the canonical `path` can be seen.
    pub(super) fn show(&self, path: &Path) -> bool {
        path.ancestors().any(|inside| {
            let readable = self.mounts.get(inside);
            readable.is_some_and(|readable| inside == path || readable.is_directory)
        })
    }

    fn add(&mut self, wanted: &Wanted, followed: HostPath) {
        // A link in the private temporary directory would be hidden by it: mount at the spelled path.
        let hidden = |(link, _): &(PathBuf, PathBuf)| link.starts_with(TEMPORARY);
        if followed.links.iter().any(hidden) {
            self.add_at(&wanted.path, wanted, &followed);
        }
        self.add_at(&followed.canonical, wanted, &followed);
        let links = followed.links.into_iter().filter(|link| !hidden(link));
        self.links.extend(links);
    }

    fn add_at(&mut self, destination: &Path, wanted: &Wanted, followed: &HostPath) {
        let readable = self
            .mounts
            .entry(destination.to_path_buf())
            .or_insert_with(|| Readable {
                source: followed.canonical.clone(),
                is_directory: followed.is_directory,
                reasons: vec![],
            });
        if !readable.reasons.contains(&wanted.reason) {
            readable.reasons.push(wanted.reason.clone());
        }
    }

    /// Drops what a mounted directory shows already, and links that stand in one.
    fn absorb(&mut self) {
        // In the order of the paths, all that is below a directory follows it.
        let mut outermost: Vec<(PathBuf, PathBuf)> = vec![];
        self.mounts.retain(|path, readable| {
            if let Some((directory, source)) = outermost.last()
                && path.starts_with(directory)
            {
                // What is a mount of its own on the host isn't in a plain bind mount of the directory above.
                return directory != source || !same_device(&readable.source, source);
            }
            if readable.is_directory {
                outermost.push((path.clone(), readable.source.clone()));
            }
            true
        });
        self.links.retain(|(link, _)| {
            let before = outermost.partition_point(|(directory, _)| directory < link);
            let above = outermost[..before].last();
            let is_shown = above.is_some_and(|(directory, _)| link.starts_with(directory));
            !is_shown && !self.mounts.contains_key(link)
        });
    }
}

fn same_device(one: &Path, other: &Path) -> bool {
    let device = |path| fs::metadata(path).map(|metadata| metadata.dev());
    matches!((device(one), device(other)), (Ok(one), Ok(other)) if one == other)
}
