//! Finding a process's command in the container, and executing it.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{AccessFlags, access, execve, faccessat};
use oci_spec::runtime::Process;

use super::failure::Failure;
use crate::sys::reset_signal_dispositions;

/// The search path of a process that sets none, as runc has it.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command that was found, ready to be executed.
#[derive(Debug)]
pub(super) struct Command {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Command {
    /// The command of `process`, with its arguments and its environment as they are listed.
    pub(super) fn of(process: &Process) -> Result<Self, Failure> {
        let strings = |list: &Option<Vec<String>>| -> Vec<CString> {
            // A NUL can't come through: whoever takes a process in refuses strings with one.
            let list = list.iter().flatten();
            list.filter_map(|text| CString::new(text.as_bytes()).ok())
                .collect()
        };
        Ok(Self {
            path: find(process)?,
            arguments: strings(process.args()),
            environment: strings(process.env()),
        })
    }

    /// Executes it. Returns only where that fails.
    pub(super) fn execute(&self) -> Failure {
        let Err(errno) = execve(&self.path, &self.arguments, &self.environment);
        Failure::NotExecutable {
            command: self.path.to_string_lossy().into_owned(),
            reason: describe(errno),
        }
    }
}

/// Rust ignores SIGPIPE and the supervisor blocks what it forwards: a command must inherit neither. What the caller
/// ignores it does with `keeps_ignored`.
pub(super) fn reset_signals(keeps_ignored: bool) -> Result<(), std::io::Error> {
    reset_signal_dispositions(keeps_ignored)?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}

/// The command's path in the container, found as execvp(3) would with the process's own PATH.
pub(super) fn find(process: &Process) -> Result<CString, Failure> {
    let name = process
        .args()
        .as_ref()
        .and_then(|args| args.first().cloned())
        .unwrap_or_default();
    let not_found = || Failure::NotFound {
        command: name.clone(),
    };
    if name.contains('/') {
        return usable(Path::new(&name), &name).map_err(|errno| refusal(&name, errno));
    }
    let path = process
        .env()
        .iter()
        .flatten()
        .find_map(|entry| entry.strip_prefix("PATH="))
        .unwrap_or(DEFAULT_PATH);
    let mut denied = None;
    for directory in path.split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        match usable(&PathBuf::from(directory).join(&name), &name) {
            Ok(found) => return Ok(found),
            Err(Errno::EACCES | Errno::EISDIR) => denied = Some(Errno::EACCES),
            Err(_) => {}
        }
    }
    match denied {
        Some(errno) if !name.is_empty() => Err(refusal(&name, errno)),
        _ => Err(not_found()),
    }
}

fn usable(path: &Path, name: &str) -> Result<CString, Errno> {
    if name.is_empty() {
        return Err(Errno::ENOENT);
    }
    let metadata = std::fs::metadata(path)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::ENOENT)))?;
    if metadata.is_dir() {
        return Err(Errno::EISDIR);
    }
    may_execute(path)?;
    CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| Errno::ENOENT)
}

/// access(2) knows nothing of capabilities that a user other than root has (CAP_DAC_OVERRIDE). It is asked first: the
/// other call is newer than some filters.
fn may_execute(path: &Path) -> Result<(), Errno> {
    access(path, AccessFlags::X_OK).or_else(|errno| {
        faccessat(None, path, AccessFlags::X_OK, AtFlags::AT_EACCESS).map_err(|_| errno)
    })
}

fn refusal(name: &str, errno: Errno) -> Failure {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => Failure::NotFound {
            command: name.to_owned(),
        },
        other => Failure::NotExecutable {
            command: name.to_owned(),
            reason: describe(other),
        },
    }
}

/// The kernel's own words, lower case.
fn describe(errno: Errno) -> String {
    match errno {
        // That there is no permission is what podman knows 126 by.
        Errno::EISDIR => "permission denied: it is a directory".to_owned(),
        // execve(2) says ENOENT of an executable that is there when its interpreter isn't.
        Errno::ENOENT => "no such file or directory: its interpreter or dynamic loader".to_owned(),
        other => other.desc().to_lowercase(),
    }
}
