//! The helper: a single-threaded process that forks the workers.
//!
//! The shim's threads may hold any lock at any time, so a child forked from it could never take one again. The helper
//! is forked before there is a second thread, does nothing but fork, and grows by nothing. It makes each worker the
//! shim's child (`CLONE_PARENT`), so nothing waits for it. It ends with the shim, and where it is killed, the shim
//! executes another.

mod call;
mod descriptors;
mod server;

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runtime::passing;
use runtime::sys::{close_descriptors_except, fork_child};

use crate::{actions, log};

pub use descriptors::Descriptors;
pub use server::serve_standard_input;

/// The shim's hold on its helper.
#[derive(Debug)]
pub struct Helper(Mutex<Current>);

#[derive(Debug, Clone)]
struct Current {
    control: Arc<OwnedFd>,
    pid: i32,
}

impl Helper {
    /// Makes it. For a process that has started no thread.
    ///
    /// # Errors
    /// Those of fork(2).
    pub fn fork() -> io::Result<Self> {
        let (ours, theirs) = passing::pair()?;
        // Taken by the child out of its own memory.
        let theirs = Cell::new(Some(theirs));
        let pid = fork_child(|| {
            let Some(control) = theirs.take() else {
                return 1;
            };
            // Above all the socket that the shim serves: it mustn't seem to be served when the shim is gone.
            let mut kept = [0, 1, 2, control.as_raw_fd()];
            match close_descriptors_except(&mut kept) {
                Ok(()) => server::serve(control),
                Err(_) => 1,
            }
        })?;
        drop(theirs);
        Ok(Self(Mutex::new(Current {
            control: Arc::new(ours),
            pid: pid.as_raw(),
        })))
    }

    /// The child `pid` has ended; where it was the helper, another takes its place.
    pub fn has_ended(&self, pid: i32) {
        let mut current = self.lock();
        if current.pid == pid {
            replace(&mut current);
        }
    }

    fn current(&self) -> Current {
        self.lock().clone()
    }

    /// Puts another in the place of `dead`, unless somebody did already.
    fn replace(&self, dead: &Current) {
        let mut current = self.lock();
        if current.pid == dead.pid {
            replace(&mut current);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn replace(current: &mut Current) {
    log::warn(&format!(
        "helper {} has ended: another takes its place",
        current.pid
    ));
    match execute() {
        Ok(new) => *current = new,
        // The next operation tries again, and tells.
        Err(error) => log::warn(&format!("execute a helper: {error}")),
    }
}

/// Executed, not forked: by now there are threads.
fn execute() -> io::Result<Current> {
    let (ours, theirs) = passing::pair()?;
    let child = Command::new("/proc/self/exe")
        .arg(actions::HELPER)
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Current {
        control: Arc::new(ours),
        pid: child.id().cast_signed(),
    })
}
