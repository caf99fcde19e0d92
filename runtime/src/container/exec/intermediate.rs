//! The process between the runtime and the one that is to execute: it joins the container, takes on all that
//! the specification says, and makes the other as the runtime's child.
//!
//! Only a child is born into the pid namespace, and until then nobody in the container sees either. Processes
//! of the container may look into the child from its first moment on, and with CAP_SYS_PTRACE take it over
//! (CVE-2016-9962). So all that the runtime has open and remembers is gone by the time of that birth, and so
//! are the rights that the child isn't to have.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use libcontainer::syscall::syscall::create_syscall;
use nix::unistd::{Pid, setresgid, setresuid};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::super::failure::{Failure, step};
use super::channel::{Channel, Message};
use super::{Task, inside, member, outside};
use crate::sys::{clone_child, close_descriptors_except, forget_arguments_and_environment};

/// The process's life; its value is its exit code. Whether it `is_born` in the container's cgroup of version 2.
pub(super) fn run(task: &Task<'_>, is_born: bool, channel: &Channel) -> i32 {
    match make_member(task, is_born, channel) {
        Ok(()) => 0,
        Err(failure) => {
            task.failures.send(&failure);
            1
        }
    }
}

fn make_member(task: &Task<'_>, is_born: bool, channel: &Channel) -> Result<(), Failure> {
    let system = create_syscall();
    let target = &task.target;
    step("close descriptors", || {
        close_but(task, channel, &target.descriptors())
    })?;
    outside::take_on(task, is_born, system.as_ref())?;
    // While /proc is the host's.
    step("forget the command line", forget_arguments_and_environment)?;
    step("join the container's namespaces", || target.join())?;
    if target.has_user_namespace() {
        step("become the root of the user namespace", become_root)?;
    }
    let terminal = inside::open_terminal(task.process)?;
    let terminal = match terminal {
        Some(ends) => {
            step("hand over the terminal", || {
                Ok(channel.send(&Message::Terminal(ends.master))?)
            })?;
            Some(ends.slave)
        }
        None => None,
    };
    let command = inside::take_on(task, system.as_ref())?;
    step("close descriptors", || {
        let slave = terminal.as_ref().map(AsRawFd::as_raw_fd);
        close_but(task, channel, slave.as_slice())
    })?;
    if let Some(filter) = task.inherited_filter() {
        filter.load_to_be_inherited()?;
    }
    let mut pid = Pid::from_raw(0);
    step("make the process", || {
        pid = clone_child(true, || {
            member::run(task, channel, &command, terminal.as_ref())
        })?;
        Ok(())
    })?;
    step("tell its pid", || {
        Ok(channel.send(&Message::Pid(pid.as_raw()))?)
    })
}

/// Closes all but the standard descriptors, those to preserve, the ways to the runtime, and `more`.
fn close_but(task: &Task<'_>, channel: &Channel, more: &[i32]) -> io::Result<()> {
    let last_kept = 2 + i32::from(task.preserve_fds);
    let mut kept: Vec<i32> = (0..=last_kept).collect();
    kept.push(channel.as_fd().as_raw_fd());
    kept.push(task.failures.number());
    kept.extend(more);
    close_descriptors_except(&mut kept)
}

/// Denies ptrace(2) and `/proc/PID/fd` to all without CAP_SYS_PTRACE outside. A change of ids may take it
/// back (`fs.suid_dumpable`, proc(5)).
pub(super) fn forbid_looking() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Files that are made from here on must be owned by somebody whom the namespace maps: its root, if it has
/// one.
fn become_root() -> io::Result<()> {
    let is_unmapped = |error: &nix::errno::Errno| *error == nix::errno::Errno::EINVAL;
    match setresgid(0.into(), 0.into(), 0.into()) {
        Err(errno) if !is_unmapped(&errno) => return Err(errno.into()),
        _ => {}
    }
    match setresuid(0.into(), 0.into(), 0.into()) {
        Err(errno) if !is_unmapped(&errno) => return Err(errno.into()),
        _ => {}
    }
    // A change of ids makes what fs.suid_dumpable says of it.
    forbid_looking()
}
