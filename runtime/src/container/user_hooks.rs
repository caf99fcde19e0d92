//! Scripts that run in a container before its command, as the command's own user: Shifter's user hooks.

use std::ffi::CString;
use std::io;

use bundles::promise::{self, Kind};
use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::execve;

use super::failure::Failure;
use super::{Bundle, Error, Result};
use crate::sys::{exit_at_once, fork};

const SHELL: &std::ffi::CStr = c"/bin/sh";

/// Those of `bundle`, which has to be of the promise `shifter`: anywhere else the annotation means nothing.
///
/// # Errors
/// Where the annotation isn't what it should be.
pub(super) fn of(bundle: &Bundle) -> Result<Vec<String>> {
    if bundle.kind != Some(Kind::Shifter) {
        return Ok(vec![]);
    }
    promise::user_hooks(&bundle.spec).map_err(|error| Error::Config {
        path: bundle.config.clone(),
        reason: error.to_string(),
    })
}

/// Runs them to their ends, one after the other, in children of this process, which is about to execute the command
/// and has nothing left to drop.
pub(super) fn run(hooks: &[String]) -> Result<(), Failure> {
    for hook in hooks {
        let failed = |reason: String| Failure::Step {
            step: format!("user hook {hook}"),
            reason,
        };
        match run_one(hook).map_err(|error| failed(error.to_string()))? {
            WaitStatus::Exited(_, 0) => {}
            WaitStatus::Exited(_, code) => return Err(failed(format!("exit status {code}"))),
            WaitStatus::Signaled(_, signal, _) => return Err(failed(format!("ended by {signal}"))),
            other => return Err(failed(format!("{other:?}"))),
        }
    }
    Ok(())
}

/// As Shifter does: by the image's shell, without any variable.
fn run_one(hook: &str) -> io::Result<WaitStatus> {
    let script = CString::new(hook)?;
    let Some(child) = fork()? else {
        let none: [CString; 0] = [];
        let Err(errno) = execve(SHELL, &[SHELL, script.as_c_str()], &none);
        exit_at_once(if errno == Errno::ENOENT { 127 } else { 126 });
    };
    loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}
