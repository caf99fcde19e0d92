//! The process that `exec` makes, from its birth in the container until it executes the command.
//!
//! Whatever the container's specification says of its first process holds for this one too; libcontainer's
//! own exec forgets the filter and the user namespace (S1, S2). It has most of that from its parent. What
//! follows only the process itself can do.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use libcontainer::apparmor;
use nix::unistd::dup2;
use rustix::process::{
    DumpableBehavior, Signal, ioctl_tiocsctty, set_dumpable_behavior,
    set_parent_process_death_signal, setsid,
};

use super::super::command::{Command, reset_signals};
use super::super::failure::{Failure, step};
use super::super::resource_limits;
use super::super::seccomp::SystemCallFilter;
use super::Task;
use super::channel::{Channel, Message};
use crate::telling;

/// The process's life up to its command; it ends with this value where that isn't executed.
pub(super) fn run(
    task: &Task<'_>,
    channel: &Channel,
    command: &Command,
    terminal: Option<&OwnedFd>,
) -> i32 {
    let failure = match become_member(task, channel, terminal) {
        Ok(()) => command.execute(),
        Err(failure) => failure,
    };
    task.failures.send(&failure);
    1
}

/// Takes on what is left, and waits for the word to go on.
fn become_member(
    task: &Task<'_>,
    channel: &Channel,
    terminal: Option<&OwnedFd>,
) -> Result<(), Failure> {
    step("begin a session", || {
        setsid().map(drop).map_err(io::Error::from)
    })?;
    if let Some(terminal) = terminal {
        step("take the terminal", || take_terminal(terminal))?;
    }
    if let Some(profile) = task.process.apparmor_profile() {
        step(&format!("apply the AppArmor profile {profile}"), || {
            apparmor::apply_profile(profile)
                .map_err(|error| io::Error::other(telling::line(&error)))
        })?;
    }
    step("reset the signals", || reset_signals(false))?;
    if task.dies_with_parent {
        step("set the parent death signal", || {
            Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
        })?;
    }
    if task.can_be_looked_at {
        step("let the runtime look at the process", || {
            Ok(set_dumpable_behavior(DumpableBehavior::Dumpable)?)
        })?;
    }
    // A filter may refuse whatever comes after it, so nothing does that can come before; only where the
    // process has to show its filter it is let go afterwards.
    let filter = task.filter.filter(|_| task.inherited_filter().is_none());
    let is_early = filter.is_some_and(SystemCallFilter::is_early);
    if !is_early {
        wait(channel)?;
    }
    step("set the resource limits", || {
        resource_limits::set_all(task.spec)
    })?;
    if let Some(filter) = filter {
        filter.load_early()?;
        if is_early {
            wait(channel)?;
        }
        filter.load_late()?;
    }
    Ok(())
}

/// Makes `terminal` the controlling one of this session, and its standard input, output and error.
fn take_terminal(terminal: &OwnedFd) -> io::Result<()> {
    ioctl_tiocsctty(terminal)?;
    for number in 0..3 {
        dup2(terminal.as_raw_fd(), number)?;
    }
    Ok(())
}

/// Tells that all is done, and waits until the runtime has seen it. A runtime that is gone wants no process.
fn wait(channel: &Channel) -> Result<(), Failure> {
    step("wait for the runtime", || {
        channel.send(&Message::Ready)?;
        match channel.receive()? {
            Some(Message::Go) => Ok(()),
            _ => Err(io::Error::other("it gave up")),
        }
    })
}
