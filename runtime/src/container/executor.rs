//! What the container's first process does at libcontainer's hands: find the command, load the filter,
//! and, once started, execute.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::stat::fstat;
use nix::unistd::{AccessFlags, access, dup2, execve};
use oci_spec::runtime::Spec;
use seccompiler::sock_filter;

use super::failure::{Failure, FailureWriter};
use super::init;
use crate::sys::{exit_at_once, join_new_session_keyring, load_filter, reset_signal_dispositions};

/// The search path of a bundle that sets none, as runc has it.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The command of a bundle. Cloned by libcontainer across its forks.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    /// Filters in the order in which to load them.
    pub filters: Vec<Vec<sock_filter>>,
    /// Where failures go.
    pub failures: FailureWriter,
    /// Whether the command gets a process of ours as the first of its pid namespace.
    pub has_init: bool,
    /// Whether the process must die with the runtime that holds it in the foreground.
    pub dies_with_parent: bool,
}

impl Payload {
    fn prepare(&self, spec: &Spec) -> Result<(), Failure> {
        if has_command(spec) {
            find_command(spec)?;
        }
        step("open /dev/null", reopen_null)?;
        // libcontainer leaves the caller's (S7): whoever possesses it could read the caller's keys.
        step("make a session keyring", join_new_session_keyring)?;
        if self.dies_with_parent {
            step("set the parent death signal", || {
                rustix::process::set_parent_process_death_signal(Some(
                    rustix::process::Signal::KILL,
                ))
                .map_err(std::io::Error::from)
            })?;
        }
        Ok(())
    }

    fn load_filters(&self) -> Result<(), Failure> {
        for filter in &self.filters {
            step("load the seccomp filter", || load_filter(filter))?;
        }
        Ok(())
    }

    fn execute(&self, spec: &Spec) -> Result<(), Failure> {
        if !has_command(spec) {
            // A bundle without a process: the container has served.
            exit_at_once(0);
        }
        let command = find_command(spec)?;
        let process = spec.process().as_ref();
        let strings = |list: Option<&Vec<String>>| -> Vec<CString> {
            // A NUL can't come through: JSON strings with one are refused when the bundle is normalised.
            let list = list.into_iter().flatten();
            list.filter_map(|text| CString::new(text.as_bytes()).ok())
                .collect()
        };
        let arguments = strings(process.and_then(|process| process.args().as_ref()));
        let environment = strings(process.and_then(|process| process.env().as_ref()));
        step("reset the signals", reset_signals)?;
        if self.has_init {
            step("split off the first process", init::split)?;
        }
        let shown = command.to_string_lossy().into_owned();
        let Err(errno) = execve(&command, &arguments, &environment);
        Err(Failure::NotExecutable {
            command: shown,
            reason: describe(errno),
        })
    }

    fn report<E>(
        &self,
        result: Result<(), Failure>,
        wrap: impl FnOnce(String) -> E,
    ) -> Result<(), E> {
        result.map_err(|failure| {
            self.failures.send(&failure);
            wrap(format!("{failure:?}"))
        })
    }
}

impl Executor for Payload {
    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        self.report(
            self.prepare(spec),
            ExecutorValidationError::ArgValidationError,
        )
    }

    /// The last call before "created": the filter goes in here, so that the created process shows it.
    ///
    /// libcontainer's map has lost the order of the variables and gained a HOME; `execute` passes the
    /// spec's list as it is.
    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        self.report(self.load_filters(), ExecutorSetEnvsError::Other)
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        self.report(self.execute(spec), ExecutorError::Other)
    }
}

fn step(name: &str, body: impl FnOnce() -> Result<(), std::io::Error>) -> Result<(), Failure> {
    body().map_err(|error| Failure::Step {
        step: name.to_owned(),
        reason: error.to_string(),
    })
}

/// Whether there is a command: a bundle may have no process, and `normalise` puts one without arguments.
fn has_command(spec: &Spec) -> bool {
    let process = spec.process().as_ref();
    process.is_some_and(|process| process.args().as_ref().is_some_and(|args| !args.is_empty()))
}

/// Rust ignores SIGPIPE and the supervisor blocks what it forwards: a command must inherit neither.
fn reset_signals() -> Result<(), std::io::Error> {
    reset_signal_dispositions()?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}

/// libcontainer opens the container's `/dev/null` for reading only, in the place of any standard
/// descriptor that is one; a command that writes there would fail.
fn reopen_null() -> Result<(), std::io::Error> {
    for number in 0..3 {
        let Ok(status) = fstat(number) else {
            continue;
        };
        let is_null =
            status.st_mode & libc::S_IFMT == libc::S_IFCHR && status.st_rdev == libc::makedev(1, 3);
        if is_null {
            let null = File::options().read(true).write(true).open("/dev/null")?;
            dup2(null.as_raw_fd(), number)?;
        }
    }
    Ok(())
}

/// The command's path in the container, found as execvp(3) would with the bundle's own PATH.
fn find_command(spec: &Spec) -> Result<CString, Failure> {
    let process = spec.process().as_ref();
    let name = process
        .and_then(|process| process.args().as_ref()?.first().cloned())
        .unwrap_or_default();
    let not_found = || Failure::NotFound {
        command: name.clone(),
    };
    if name.contains('/') {
        return usable(Path::new(&name), &name).map_err(|errno| refusal(&name, errno));
    }
    let path = process
        .and_then(|process| process.env().as_ref())
        .into_iter()
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
    access(path, AccessFlags::X_OK)?;
    CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| Errno::ENOENT)
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
        // execve(2) says ENOENT of an executable that is there when its interpreter isn't.
        Errno::ENOENT => "its interpreter or dynamic loader is not there".to_owned(),
        other => other.desc().to_lowercase(),
    }
}
