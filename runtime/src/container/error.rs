//! What can go wrong with a container, each with the exit code that callers expect.

use std::io;
use std::path::{Path, PathBuf};

use crate::set_id::SetId;
use crate::telling::{OURS, shorten};

/// The result of an operation on a container.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a container failed. Displays as one line, lower case, without the cause chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory operation.
    #[error("{operation} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The program has rights that its caller hasn't.
    #[error(transparent)]
    SetId(#[from] SetId),
    /// A step that names no path.
    #[error("{step}")]
    Step {
        /// The step, as a phrase.
        step: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// `config.json` is not what it should be.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong and where, with what would be right.
        reason: String,
    },
    /// A part of the OCI spec that this runtime can't do; ignoring it would mislead.
    #[error("{key} is not supported: {reason}")]
    Unsupported {
        /// The key in `config.json`.
        key: String,
        /// What is in the way.
        reason: String,
    },
    /// The caller isn't root and the bundle names no user namespace.
    #[error(
        "linux.namespaces: without root a container needs a user namespace; hint: opt-runtime spec --rootless"
    )]
    NeedsUserNamespace,
    /// The bundle says that it is sealed and isn't.
    #[error("the bundle says that it is sealed and isn't: {0}")]
    NotSealed(String),
    /// The created process differs from what the bundle promises.
    #[error("the created process is not sealed, so it was not started: {0}")]
    NotObserved(String),
    /// A part of the spec that the kernel refuses.
    #[error("{what}")]
    Refused {
        /// The part.
        what: String,
        /// What it says.
        source: io::Error,
    },
    /// Something in the root file system that must be an ordinary directory isn't.
    #[error("{}: {reason}", path.display())]
    Preflight {
        /// The path inside the root file system.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The spec names something that isn't there.
    #[error("config.json: {key}: {}", path.display())]
    Missing {
        /// The key.
        key: String,
        /// What it names.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// An id that can't be a directory name.
    #[error(
        "container ID \"{}\" has an invalid character or length: letters, digits and '_', '+', '-', '.' only, the last not first, at most 255", shorten(.0)
    )]
    InvalidId(String),
    /// A container of this id exists.
    #[error("container with id \"{0}\" already exists")]
    Exists(String),
    /// No container has this id; the text is what containerd and podman match.
    #[error("container does not exist: \"{0}\"")]
    DoesNotExist(String),
    /// The operation needs another status; the text is what containerd matches.
    #[error("container not {wanted}: \"{id}\" is {status}")]
    WrongStatus {
        /// The container.
        id: String,
        /// The status that the operation needs.
        wanted: &'static str,
        /// The status that it has.
        status: super::Status,
    },
    /// A process that isn't the container's creator keeps its lock.
    #[error("container \"{0}\" is held by another process")]
    Held(String),
    /// The kernel ended a process that was to execute the command.
    #[error(
        "the kernel ended the container's first process for want of memory; hint: a larger \
         linux.resources.memory.limit"
    )]
    OutOfMemory,
    /// The container was made in another pid namespace, where its processes have other pids.
    #[error("container \"{0}\" belongs to another pid namespace; hint: run this there")]
    OtherNamespace(String),
    /// The bundle names a cgroup in which others' processes are.
    #[error("linux.cgroupsPath: the container's cgroup is not empty: {}; hint: name another", .0.display())]
    CgroupInUse(PathBuf),
    /// The bundle names a cgroup whose processes are stopped. The text is runc's.
    #[error("linux.cgroupsPath: container's cgroup unexpectedly frozen: {}", .0.display())]
    CgroupFrozen(PathBuf),
    /// A limit that the kernel refuses, or has no file for.
    #[error("linux.resources.{key}: write \"{value}\" to {}", path.display())]
    Limit {
        /// The key below `linux.resources`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What was to be written.
        value: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// `exec` into a container that can't have a process. The text is runc's, which engines match.
    #[error("cannot exec in a {status} container: \"{id}\"")]
    NotRunning {
        /// The container.
        id: String,
        /// Its status.
        status: super::Status,
    },
    /// `exec` into a paused container. The text is runc's.
    #[error("cannot exec in a paused container (use --ignore-paused to override)")]
    Paused,
    /// A step of `exec` that failed in one of its processes.
    #[error("exec in container: {0}")]
    Exec(String),
    /// A terminal that is asked for and can't be had, or the other way round.
    #[error("{0}")]
    Terminal(&'static str),
    /// An argument that can't be taken as it is.
    #[error("{0}")]
    Argument(String),
    /// systemd, which was to make the cgroup.
    #[error("{step}: {reason}")]
    Systemd {
        /// The step, as a phrase.
        step: &'static str,
        /// What it says.
        reason: String,
    },
    /// A signal that doesn't exist.
    #[error("unknown signal \"{}\"; hint: a name such as TERM, or a number up to 64", shorten(.0))]
    UnknownSignal(String),
    /// The command isn't in the container. The texts are what podman and Docker match.
    #[error("exec: \"{0}\": {why}", why = why_not_found(.0))]
    NotFound(String),
    /// The command is there and can't be executed. The text is what podman matches.
    #[error("exec: \"{command}\": {reason}")]
    NotExecutable {
        /// The command.
        command: String,
        /// Why: `permission denied`, `exec format error`, …
        reason: String,
    },
    /// libcontainer runs startContainer hooks where it can't tell any more how they ended.
    #[error(
        "the container's first process ended before it executed the command: it was killed, or a \
         startContainer hook failed"
    )]
    NotExecuted,
    /// A hook on which the container depends. The text begins as runc's.
    #[error("error running {name} hook #{index}: {}: {reason}", path.display())]
    Hook {
        /// The list that it is in.
        name: &'static str,
        /// Its place there.
        index: usize,
        /// Its program.
        path: PathBuf,
        /// How it ended, and what it said.
        reason: String,
    },
    /// The site's policy doesn't let the bundle run.
    #[error(transparent)]
    Policy(#[from] crate::policy::Error),
    /// The bundle asks for exceptions to its promise, and nobody granted them.
    #[error("the bundle asks for exceptions that were not granted: {0}")]
    NotGranted(String),
    /// criu failed, or there is none.
    #[error("criu {action}: {reason}")]
    Criu {
        /// What it was to do.
        action: &'static str,
        /// What it said.
        reason: String,
    },
    /// libcontainer failed; its message is its own.
    #[error("create container: {0}")]
    Libcontainer(String),
}

/// A command with a slash isn't looked for in PATH.
fn why_not_found(command: &str) -> &'static str {
    if command.contains('/') {
        "no such file or directory"
    } else {
        "executable file not found in $PATH"
    }
}

impl Error {
    /// The exit code of a command that ends with this error: 127 not found, 126 not executable, 125 ours.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable { .. } => 126,
            _ => OURS,
        }
    }

    pub(crate) fn io(
        operation: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }

    pub(crate) fn step<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Step {
            step,
            source: source.into(),
        }
    }

    pub(crate) fn unsupported(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported {
            key: key.into(),
            reason: reason.into(),
        }
    }
}
