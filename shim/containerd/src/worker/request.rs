//! What a worker is asked for, and what it answers: JSON over a socket.

use std::fmt;
use std::path::PathBuf;

use runtime::container::Error;
use runtime::telling;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An operation on a container.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The directory of states.
    pub store: PathBuf,
    /// The container.
    pub id: String,
    /// What to do.
    pub operation: Operation,
}

/// What to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum Operation {
    /// Mount its root file system and create it.
    Create(Create),
    /// Let it execute its command.
    Start,
    /// Execute this process, in OCI's form, in it.
    Exec(String),
    /// Send it a signal.
    Kill {
        /// The number.
        signal: u32,
        /// Whether to all of its processes.
        all: bool,
    },
    /// Stop its processes where they are.
    Pause,
    /// Let them go on.
    Resume,
    /// Set limits, `linux.resources` in OCI's form.
    Update(String),
    /// Count what it uses.
    Stats,
    /// List its processes.
    Pids,
    /// Save its processes with criu.
    Checkpoint(Checkpoint),
    /// Remove it, and unmount its root file system.
    Delete {
        /// Its bundle.
        bundle: PathBuf,
    },
}

/// How to create.
#[derive(Debug, Serialize, Deserialize)]
pub struct Create {
    /// The bundle.
    pub bundle: PathBuf,
    /// What to mount at its `rootfs`, in this order.
    pub mounts: Vec<Mount>,
    /// Whether to move to the root without pivot_root(2).
    pub no_pivot: bool,
    /// Whether the command keeps the session keyring.
    pub no_new_keyring: bool,
    /// Whether systemd makes cgroups.
    pub systemd_cgroup: bool,
}

/// A mount in containerd's form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mount {
    /// The kind of file system; `bind` for none.
    pub kind: String,
    /// What is mounted.
    pub source: String,
    /// As fstab(5) has them.
    pub options: Vec<String>,
}

/// How to save.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The directory of criu's images.
    pub images: PathBuf,
    /// The directory of criu's log.
    pub work: Option<PathBuf>,
    /// Whether the container ends.
    pub exit: bool,
    /// Keep open TCP connections.
    pub open_tcp: bool,
    /// Allow connections to unix sockets outside.
    pub external_unix_sockets: bool,
    /// Allow a terminal of the caller's.
    pub terminal: bool,
    /// Keep file locks.
    pub file_locks: bool,
    /// How criu deals with cgroups; criu's own way where empty.
    pub cgroups_mode: String,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// The container's first process.
    Created {
        /// Its pid.
        pid: i32,
        /// Whether all others end with it.
        has_pid_namespace: bool,
    },
    /// A process in it.
    Process(i32),
    /// Those that it has.
    Pids(Vec<i32>),
    /// What it uses, in the form of `opt-runtime events --stats`.
    Stats(Value),
}

/// Why it wasn't done.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of reason.
    pub kind: FailureKind,
    /// The reason, one line.
    pub message: String,
}

/// Kinds of reasons that containerd tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// There is no such container or process.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// It isn't in the status that the operation needs.
    FailedPrecondition,
    /// The request makes no sense.
    InvalidArgument,
    /// This runtime can't do it.
    Unimplemented,
    /// Any other.
    Unknown,
}

impl Failure {
    /// One of this kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// One that has no kind.
    pub fn unknown(reason: impl fmt::Display) -> Self {
        Self::new(FailureKind::Unknown, reason.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::DoesNotExist(_) => FailureKind::NotFound,
            Error::Exists(_) => FailureKind::AlreadyExists,
            Error::WrongStatus { .. } | Error::NotRunning { .. } | Error::Paused => {
                FailureKind::FailedPrecondition
            }
            Error::InvalidId(_) | Error::Argument(_) | Error::UnknownSignal(_) => {
                FailureKind::InvalidArgument
            }
            Error::Unsupported { .. } => FailureKind::Unimplemented,
            _ => FailureKind::Unknown,
        };
        Self::new(kind, telling::line(&error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
