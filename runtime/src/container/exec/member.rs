//! The process that `exec` makes, from its birth in the container until it executes the command.
//!
//! Whatever the container's specification says of its first process holds for this one too; libcontainer's
//! own exec forgets the filter and the user namespace (S1, S2).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use libcontainer::apparmor;
use libcontainer::capabilities::{drop_privileges, reset_effective};
use libcontainer::oci_spec::runtime::Process;
use libcontainer::syscall::Syscall;
use libcontainer::syscall::syscall::create_syscall;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, chdir, dup2, setgroups};
use rustix::fs::{fchown, fstat};
use rustix::process::{
    DumpableBehavior, Signal, getcwd, ioctl_tiocsctty, set_dumpable_behavior,
    set_parent_process_death_signal, setsid,
};
use rustix::thread::set_no_new_privs;

use super::super::command::{Command, reset_signals};
use super::super::failure::{Failure, step};
use super::super::home;
use super::super::seccomp::SystemCallFilter;
use super::super::terminal::pty;
use super::Task;
use super::channel::{Channel, Message};
use super::intermediate::forbid_looking;
use crate::sys::{join_new_session_keyring, set_scheduler};
use crate::telling;

/// The process's life up to its command; it ends with this value where that isn't executed.
pub(super) fn run(task: &Task<'_>, channel: &Channel) -> i32 {
    let failure = match become_member(task, channel) {
        Ok(command) => command.execute(),
        Err(failure) => failure,
    };
    task.failures.send(&failure);
    1
}

/// Takes on what the specification says, and waits for the word to go on.
fn become_member(task: &Task<'_>, channel: &Channel) -> Result<Command, Failure> {
    let system = create_syscall();
    let process = task.process;
    step("begin a session", || {
        setsid().map(drop).map_err(io::Error::from)
    })?;
    let terminal = match process.terminal() {
        Some(true) => Some(open_terminal(process)?),
        _ => None,
    };
    take_on_inside(process)?;
    // As the root of the container first, as runc does: its user need not be able to reach the directory.
    let is_there = chdir(process.cwd()).is_ok();
    become_user(task, process, system.as_ref())?;
    let cwd = process.cwd().display();
    step(&format!("chdir to cwd (\"{cwd}\")"), || {
        enter_cwd(process, is_there)
    })?;
    let command = find_command(process)?;
    step("reset the signals", reset_signals)?;
    if task.dies_with_parent {
        step("set the parent death signal", || {
            Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
        })?;
    }
    // A filter may refuse whatever comes after it, so nothing does that can come before; only where the
    // process has to show its filter it is let go afterwards.
    let is_early = task.filter.is_some_and(SystemCallFilter::is_early);
    let mut ready = Some(Message::Ready(terminal));
    if !is_early {
        wait(channel, ready.take())?;
    }
    step("drop capabilities", || {
        drop_capabilities(process, system.as_ref())
    })?;
    if process.no_new_privileges() == Some(true) {
        step("set no_new_privs", || Ok(set_no_new_privs(true)?))?;
    }
    if let Some(filter) = task.filter {
        filter.load_early()?;
        if is_early {
            wait(channel, ready.take())?;
        }
        filter.load_late()?;
    }
    Ok(command)
}

/// Makes a terminal of the container's own the controlling one of this session, and its standard input, output
/// and error; gives the other end.
fn open_terminal(process: &Process) -> Result<OwnedFd, Failure> {
    let open = || -> io::Result<OwnedFd> {
        let master = pty::open_inside()?;
        let slave = pty::slave_of(&master)?;
        let owner = rustix::process::Uid::from_raw(process.user().uid());
        if fstat(&slave)?.st_uid != owner.as_raw() {
            fchown(&slave, Some(owner), None)?;
        }
        ioctl_tiocsctty(&slave)?;
        for number in 0..3 {
            dup2(slave.as_raw_fd(), number)?;
        }
        Ok(master)
    };
    open().map_err(|error| Failure::Step {
        step: "open a terminal".to_owned(),
        reason: error.to_string(),
    })
}

/// What takes the rights of the container's root.
fn take_on_inside(process: &Process) -> Result<(), Failure> {
    if let Some(scheduler) = process.scheduler() {
        // Not in the parent: some policies aren't inherited.
        step("set the scheduler", || set_scheduler(scheduler))?;
    }
    if let Some(profile) = process.apparmor_profile() {
        step(&format!("apply the AppArmor profile {profile}"), || {
            apparmor::apply_profile(profile).map_err(told)
        })?;
    }
    if let Some(bits) = process.user().umask() {
        let mode = Mode::from_bits(bits).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL));
        step("set the umask", || {
            umask(mode?);
            Ok(())
        })?;
    }
    Ok(())
}

fn become_user(task: &Task<'_>, process: &Process, system: &dyn Syscall) -> Result<(), Failure> {
    let user = process.user();
    step("set supplementary groups", || set_groups(task, process))?;
    step("set the user and the group", || {
        system
            .set_id(Uid::from_raw(user.uid()), Gid::from_raw(user.gid()))
            .map_err(told)
    })?;
    // A change of ids makes what fs.suid_dumpable says of it.
    step("forbid being looked into", forbid_looking)?;
    step("raise the effective capabilities", || {
        reset_effective(system).map_err(told)
    })?;
    step("make a session keyring", join_new_session_keyring)?;
    if task.can_be_looked_at {
        step("let the runtime look at the process", || {
            Ok(set_dumpable_behavior(DumpableBehavior::Dumpable)?)
        })?;
    }
    Ok(())
}

/// The listed groups and no others.
fn set_groups(task: &Task<'_>, process: &Process) -> io::Result<()> {
    let listed = process
        .user()
        .additional_gids()
        .as_deref()
        .unwrap_or_default();
    let groups: Vec<Gid> = listed.iter().copied().map(Gid::from_raw).collect();
    if !task.target.may_set_groups {
        // CVE-2014-8989: nobody may drop a group here, and the container's first process has the same.
        return match groups.as_slice() {
            [] => Ok(()),
            _ => Err(io::Error::other(
                "the container's user namespace allows none",
            )),
        };
    }
    Ok(setgroups(&groups)?)
}

/// A directory that has no path from the root is one of the host's, reached through a descriptor that was
/// left open somewhere (CVE-2024-21626).
fn enter_cwd(process: &Process, is_there: bool) -> io::Result<()> {
    if !is_there {
        // A file system may refuse root and nobody else.
        chdir(process.cwd())?;
    }
    let outside = || io::Error::other("it is not in the container");
    let path = getcwd(vec![]).map_err(|_| outside())?;
    if path.as_bytes().starts_with(b"/") {
        return Ok(());
    }
    Err(outside())
}

/// The command, with a HOME where the specification's environment has none.
fn find_command(process: &Process) -> Result<Command, Failure> {
    let mut process = process.clone();
    let mut env = process.env().clone().unwrap_or_default();
    if !env.iter().any(|entry| entry.starts_with("HOME=")) {
        env.push(format!("HOME={}", home::of(process.user().uid())));
        process.set_env(Some(env));
    }
    Command::of(&process)
}

/// Tells that all is done, and waits until the runtime has seen it. A runtime that is gone wants no process.
fn wait(channel: &Channel, ready: Option<Message>) -> Result<(), Failure> {
    step("wait for the runtime", || {
        if let Some(ready) = ready {
            channel.send(&ready)?;
        }
        match channel.receive()? {
            Some(Message::Go) => Ok(()),
            _ => Err(io::Error::other("it gave up")),
        }
    })
}

fn drop_capabilities(process: &Process, system: &dyn Syscall) -> io::Result<()> {
    let sets = process.capabilities().clone();
    // Absent ones were made explicit when the process was taken in.
    let sets = sets.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    drop_privileges(&sets, system).map_err(told)
}

fn told(error: impl std::error::Error) -> io::Error {
    io::Error::other(telling::line(&error))
}
