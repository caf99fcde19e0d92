//! Making the process that is to execute, seen from the runtime.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::super::failure::{Failure, FailureReader};
use super::super::listener::HandOver;
use super::super::process::ProcessId;
use super::super::{Error, Result};
use super::channel::{Channel, Message};
use super::{Task, intermediate};
use crate::sys::clone_child_into;

/// A process that has become what it is to be and waits to execute. Ended where this is dropped.
#[derive(Debug)]
pub(super) struct Born {
    /// The process, a child of this one.
    pub process: ProcessId,
    /// The master end of its terminal, if it has one.
    pub terminal: Option<OwnedFd>,
    channel: Channel,
    failures: Option<FailureReader>,
    unfinished: Option<Unfinished>,
}

/// Makes the process and waits until it is ready.
///
/// # Errors
/// What the process, or the intermediate before it, says; neither is left then.
pub(super) fn make(task: &Task<'_>, mut failures: FailureReader) -> Result<Born> {
    let (channel, theirs) = Channel::pair().map_err(Error::step("make a channel"))?;
    let birthplace = birthplace(task)?;
    let cgroup = birthplace.as_ref().map(AsFd::as_fd);
    let intermediate = clone_child_into(cgroup, CloneFlags::empty(), |is_born| {
        intermediate::run(task, is_born, &theirs)
    })
    .map(Unfinished)
    .map_err(Error::step("make the intermediate process"))?;
    drop(theirs);
    failures.close_writer();
    // The member may be ready before the intermediate has told its pid.
    let (mut member, mut is_ready, mut terminal) = (None, false, None);
    while member.is_none() || !is_ready {
        let failed = Error::step("hear from the process");
        match channel.receive().map_err(failed)? {
            Some(Message::Pid(pid)) => {
                member = Some(Unfinished(Pid::from_raw(pid)));
                if let Some(listener) = HandOver::of(task.filter, task.container) {
                    // What it says next may already wait for the listener's answer.
                    listener.hand_over(pid)?;
                }
            }
            Some(Message::Ready) => is_ready = true,
            Some(Message::Terminal(master)) => terminal = Some(master),
            _ => break,
        }
    }
    intermediate.reap();
    let Some(member) = member.filter(|_| is_ready) else {
        return Err(match failures.take() {
            Some(failure) => error_of(failure),
            None => Error::Exec("the process ended before it could execute its command".to_owned()),
        });
    };
    let pid = member.0;
    let process = ProcessId::of(pid.as_raw()).map_err(Error::step("look at the process"))?;
    Ok(Born {
        process,
        terminal,
        channel,
        failures: Some(failures),
        unfinished: Some(member),
    })
}

/// The container's cgroup; `None` for a process that is to be elsewhere below it, or to begin on processors that may
/// not be the cgroup's.
fn birthplace(task: &Task<'_>) -> Result<Option<File>> {
    let affinity = task.process.exec_cpu_affinity().as_ref();
    let begins_elsewhere = affinity.is_some_and(|affinity| affinity.initial().is_some());
    if begins_elsewhere || !task.sub_cgroups.is_empty() {
        return Ok(None);
    }
    task.container.cgroup.birthplace()
}

impl Born {
    /// Lets the process execute its command; what it says of that can be read from what this gives.
    ///
    /// # Errors
    /// Where the process is gone.
    pub(super) fn let_go(mut self) -> Result<FailureReader> {
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let failed = Error::step("let the process go on");
        let failures = self.failures.take();
        let Some(failures) = failures else {
            return Err(failed(gone()));
        };
        self.channel
            .send(&Message::Go)
            .map_err(Error::step("let the process go on"))?;
        if let Some(member) = self.unfinished.take() {
            member.leave();
        }
        Ok(failures)
    }
}

/// What a failure of `exec` is told as.
pub(super) fn error_of(failure: Failure) -> Error {
    match failure {
        Failure::Step { step, reason } => Error::Exec(format!("{step}: {reason}")),
        other => other.into(),
    }
}

/// A child that is ended where nothing comes of it. Its pid stays its own until it is waited for.
#[derive(Debug)]
struct Unfinished(Pid);

impl Unfinished {
    /// Waits for one that ends by itself.
    fn reap(self) {
        // It is a child of this process: there is nothing to fail.
        let _ = waitpid(self.0, None);
        std::mem::forget(self);
    }

    /// Leaves it to somebody else.
    fn leave(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // There is an error to report already.
        let _ = kill(self.0, Signal::SIGKILL);
        let _ = waitpid(self.0, None);
    }
}
