//! What is known of a container between commands: the content of its `state.json`.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Hooks;
use serde::{Deserialize, Serialize};

use super::cgroup::Placement;
use super::ownership::StateDirectory;
use super::process::{ProcessId, is_alive, is_unreaped};
use super::whole_file::{PRIVATE, write_whole};
use super::{Error, Result};
use crate::json;

const STATE_FILE: &str = "state.json";

/// The format of the file. It is counted up when an older runtime would read a newer file wrongly; what is only
/// added has a default, and is none.
pub(super) const FORMAT: u32 = 1;

/// Files were without it at first.
fn first_format() -> u32 {
    1
}

/// What every format has.
#[derive(Deserialize)]
struct Header {
    #[serde(default = "first_format")]
    format: u32,
}

/// A container's status, in the OCI spec's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being made.
    Creating,
    /// Made; the user's program hasn't been executed.
    Created,
    /// The user's program was executed.
    Running,
    /// Its processes are stopped where they are. Never written: the cgroup knows.
    Paused,
    /// The process is gone.
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// The content of `state.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    /// The format of the file.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The container.
    pub id: String,
    /// Its status when this was written; [`Container::status`] looks at the process as well.
    pub status: Status,
    /// Its first process, once there is one.
    pub process: Option<ProcessId>,
    /// The process that creates it, or did.
    pub creator: ProcessId,
    /// The `run` that holds it in the foreground; when that is gone, the container is litter.
    pub supervisor: Option<ProcessId>,
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// The root file system.
    pub rootfs: PathBuf,
    /// The `ociVersion` of the bundle.
    pub oci_version: String,
    /// The bundle's annotations.
    pub annotations: HashMap<String, String>,
    /// Its cgroup.
    pub cgroup: Placement,
    /// Whether it has a new pid namespace, whose processes all go with the first one.
    pub has_pid_namespace: bool,
    /// Without a mount namespace of its own: the mounts that were there at its root before its own.
    #[serde(default)]
    pub mounts_before: Option<Vec<u64>>,
    /// When it was started, milliseconds since boot.
    #[serde(default)]
    pub started: Option<u64>,
    /// The bundle's hooks: those of the later steps must run even when the bundle is gone by then.
    pub hooks: Option<Hooks>,
    /// When it was created, RFC 3339.
    pub created: String,
    /// The uid that created it.
    pub owner: u32,
}

impl Snapshot {
    /// Reads the state of the container in `directory`.
    ///
    /// # Errors
    /// [`Error::Config`] for what is no state, or another container's.
    pub(super) fn read(directory: &StateDirectory) -> Result<Self> {
        let path = directory.path().join(STATE_FILE);
        let invalid = |reason: String| Error::Config { path, reason };
        let text = directory.read(STATE_FILE)?;
        if let Ok(Header { format }) = json::parse(&text)
            && format > FORMAT
        {
            return Err(invalid(format!(
                "it has format {format}, of a newer opt-runtime; this one knows {FORMAT}; hint: use the newer one"
            )));
        }
        let snapshot: Self = match json::parse(&text) {
            Ok(snapshot) => snapshot,
            Err(fault) => return Err(invalid(fault.to_string())),
        };
        // Whoever can rename directories in the store must not have one container signalled for another.
        if !directory.path().ends_with(&snapshot.id) {
            return Err(invalid(format!("it is \"{}\"'s", snapshot.id)));
        }
        Ok(snapshot)
    }

    /// Writes it into the container's directory, whole or not at all.
    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let path = directory.join(STATE_FILE);
        let text = json::text_of(self).map_err(|error| Error::io("write", &path)(error.into()))?;
        write_whole(&path, PRIVATE, &text).map_err(Error::io("write", &path))
    }

    /// The status now: what was written, unless the process is gone or its cgroup is frozen.
    pub fn status(&self) -> Status {
        match (self.status, self.process) {
            (Status::Creating, None) => Status::Creating,
            (status, Some(process)) if is_alive(process) => match status {
                Status::Running if self.cgroup.is_frozen() => Status::Paused,
                status => status,
            },
            _ => Status::Stopped,
        }
    }

    /// The status as it is told and signals go by.
    ///
    /// A command may end within a moment of `start`, before anybody could see it run or send it a signal.
    /// So that such a caller meets no error, a process that has ended but wasn't waited for yet still
    /// counts as running in the [`MOMENT`] after `start`.
    pub fn told_status(&self) -> Status {
        let status = self.status();
        let is_fresh = self
            .started
            .is_some_and(|started| milliseconds_since_boot().saturating_sub(started) < MOMENT);
        match self.process {
            Some(process) if status == Status::Stopped && is_fresh && is_unreaped(process) => {
                Status::Running
            }
            _ => status,
        }
    }

    /// The state in the OCI spec's form.
    pub fn oci_state(&self) -> OciState<'_> {
        let status = self.told_status();
        let pid = match (status, self.process) {
            (Status::Stopped, _) | (_, None) => 0,
            (_, Some(process)) => process.pid,
        };
        OciState {
            oci_version: &self.oci_version,
            id: &self.id,
            pid,
            status,
            bundle: &self.bundle,
            rootfs: &self.rootfs,
            created: &self.created,
            annotations: &self.annotations,
            owner: owner_name(self.owner),
        }
    }
}

/// The state in the OCI spec's form, with the additions that runc and crun print, in runc's order: scripts look for
/// `"pid"` and `"status"` without parsing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OciState<'a> {
    /// The version of the bundle's specification.
    pub oci_version: &'a str,
    /// The container.
    pub id: &'a str,
    /// Its first process, 0 when that is gone.
    pub pid: i32,
    /// Its status.
    pub status: Status,
    /// The bundle's directory.
    pub bundle: &'a Path,
    /// The root file system.
    pub rootfs: &'a Path,
    /// When it was created, RFC 3339.
    pub created: &'a str,
    /// The bundle's annotations.
    pub annotations: &'a HashMap<String, String>,
    /// The name of the user that created it, or the uid.
    pub owner: String,
}

/// How long after `start` a command that has ended counts as running, milliseconds.
const MOMENT: u64 = 2_000;

/// The clock of [`Snapshot::started`], which no change of the date moves.
pub(super) fn milliseconds_since_boot() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    (now.tv_sec * 1000 + now.tv_nsec / 1_000_000).unsigned_abs()
}

fn owner_name(uid: u32) -> String {
    crate::users::find(uid.into()).map_or_else(|| uid.to_string(), |user| user.name)
}
