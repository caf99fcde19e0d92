//! One command line's sandbox: planned, then made into a bundle or described.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxSeccomp, Spec};

use super::devices::Device;
use super::host_side::HostSide;
use super::mounts::Readables;
use super::writable::Writables;
use super::{PROJECT, Request, SandboxError, spec};
use crate::bundle::{HostPath, Skeleton};
use crate::elf::Resolver;

/// A bundle names paths in JSON.
pub(super) const NOT_UTF8: &str = "a path that isn't UTF-8 can't be in a bundle";

/// Everything that is decided about a command line before anything is written.
#[derive(Debug, Clone)]
pub struct Sandbox<'a> {
    pub(super) request: Request<'a>,
    pub(super) command_line: Vec<String>,
    /// Absent as long as nobody has asked for the sandbox.
    pub(super) project: Option<PathBuf>,
    pub(super) readables: Readables,
    pub(super) writables: Writables,
    pub(super) devices: Vec<Device>,
    /// The configuration, where it lies in the project: its path, and its name inside.
    pub(super) own_config: Option<(PathBuf, PathBuf)>,
}

/// The system call filter of a command, whatever that is called with.
#[derive(Debug)]
pub struct CommandFilter(LinuxSeccomp);

impl<'a> Sandbox<'a> {
    /// Finds out what the command needs on this host.
    ///
    /// # Errors
    /// [`SandboxError`], one line naming the command and the key.
    pub fn plan(request: Request<'a>, resolver: &Resolver) -> Result<Self, SandboxError> {
        let project = project(&request.project)?;
        let own_config = own_config(&request, &project)?;
        Ok(Self {
            own_config,
            project: Some(project),
            ..Self::plan_ahead(request, resolver)?
        })
    }

    /// Likewise, before anybody has asked: without the project, wherever that of `request` is, which is mounted
    /// when it is known.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub fn plan_ahead(request: Request<'a>, resolver: &Resolver) -> Result<Self, SandboxError> {
        let command_line = request.command_line()?;
        let HostSide {
            readables,
            writables,
            devices,
        } = HostSide::plan(&request, resolver)?;
        Ok(Self {
            own_config: None,
            request,
            command_line,
            project: None,
            readables,
            writables,
            devices,
        })
    }

    /// Whether `path`, with every link followed, can be read inside.
    pub fn shows(&self, path: &Path) -> bool {
        let readables = self.readables.mounts.values();
        let mut sources = readables.map(|readable| (&readable.source, readable.is_directory));
        let writables = &self.writables.mounts;
        sources.any(|(source, is_directory)| {
            path == source || is_directory && path.starts_with(source)
        }) || writables.keys().any(|writable| path.starts_with(writable))
    }

    /// The project directory on the host, canonical, where there is one.
    pub fn project(&self) -> Option<&Path> {
        self.project.as_deref()
    }

    /// The bundle's `config.json`.
    pub fn spec(&self) -> Spec {
        self.spec_with(self.filter())
    }

    /// Its system call filter.
    pub fn filter(&self) -> CommandFilter {
        CommandFilter(spec::filter(self.request.command))
    }

    /// [`Self::spec`] with the filter of an earlier sandbox of the same command: half of what takes time.
    pub fn spec_with(&self, filter: CommandFilter) -> Spec {
        spec::build(self, filter.0)
    }

    /// The bundle's root file system: mount targets and links.
    pub fn skeleton(&self) -> Skeleton {
        let mut skeleton = Skeleton::default();
        for own in ["/proc", "/dev", super::TEMPORARY, PROJECT] {
            skeleton.add_target(Path::new(own), true);
        }
        for (path, readable) in &self.readables.mounts {
            skeleton.add_target(path, readable.is_directory);
        }
        for (path, writable) in &self.writables.mounts {
            skeleton.add_target(path, writable.is_directory);
        }
        let links = self.readables.links.iter().chain(&self.writables.links);
        for (link, target) in links {
            skeleton.add_link(link, target);
        }
        skeleton
    }
}

/// The project directory, canonical. A link on the way to it must be root's, or of whoever the directory
/// belongs to: another user's could lead anywhere, and the command writes there as the owner.
fn project(path: &Path) -> Result<PathBuf, SandboxError> {
    let refuse = |reason: String| SandboxError::Project {
        path: path.to_path_buf(),
        reason,
    };
    let canonical = path
        .canonicalize()
        .map_err(|error| refuse(error.to_string()))?;
    if !canonical.is_dir() {
        return Err(refuse("not a directory".to_owned()));
    }
    if canonical.to_str().is_none() {
        return Err(SandboxError::Project {
            path: canonical,
            reason: NOT_UTF8.to_owned(),
        });
    }
    if canonical == Path::new("/") {
        return Err(refuse("the host's root can't be a project".to_owned()));
    }
    let owner_of = |path: &Path| {
        path.symlink_metadata()
            .map(|metadata| metadata.uid())
            .map_err(|error| refuse(error.to_string()))
    };
    let owner = owner_of(&canonical)?;
    let followed = std::path::absolute(path)
        .map_err(|error| refuse(error.to_string()))
        .and_then(|path| HostPath::follow(&path).map_err(|error| refuse(error.to_string())))?;
    for (link, _) in &followed.links {
        let maker = owner_of(link)?;
        if maker != 0 && maker != owner {
            return Err(refuse(format!(
                "leads through {}, a link of uid {maker}'s, to a directory of uid {owner}'s",
                link.display()
            )));
        }
    }
    if followed.canonical != canonical {
        return Err(refuse("is being changed".to_owned()));
    }
    Ok(canonical)
}

/// A command that could write the configuration would choose what the next one may see. So it is mounted
/// read-only over itself, which also keeps it from being renamed or removed; its directory must then be
/// the project's own, for any other one could be renamed with it.
fn own_config(
    request: &Request<'_>,
    project: &Path,
) -> Result<Option<(PathBuf, PathBuf)>, SandboxError> {
    let replaceable = || SandboxError::Project {
        path: project.to_path_buf(),
        reason: format!(
            "the command could replace its configuration {}; hint: move that out of the project",
            request.config.path.display()
        ),
    };
    let followed = std::path::absolute(&request.config.path)
        .ok()
        .and_then(|path| HostPath::follow(&path).ok())
        .ok_or_else(replaceable)?;
    if followed
        .links
        .iter()
        .any(|(link, _)| link.starts_with(project))
    {
        return Err(replaceable());
    }
    let Ok(relative) = followed.canonical.strip_prefix(project) else {
        return Ok(None);
    };
    if relative.components().count() != 1 {
        return Err(replaceable());
    }
    if relative.to_str().is_none() {
        return Err(SandboxError::Project {
            path: project.to_path_buf(),
            reason: format!("the configuration in it: {NOT_UTF8}: {relative:?}"),
        });
    }
    let inside = Path::new(PROJECT).join(relative);
    Ok(Some((followed.canonical, inside)))
}
