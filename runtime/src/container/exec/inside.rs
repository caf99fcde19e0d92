//! What the new process is to have and only exists in the container; its parent takes it on, unseen.

use std::io;
use std::os::fd::OwnedFd;

use libcontainer::capabilities::{drop_privileges, reset_effective};
use libcontainer::oci_spec::runtime::Process;
use libcontainer::syscall::Syscall;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, chdir, setgroups};
use rustix::fs::{fchown, fstat};
use rustix::thread::{set_capabilities, set_no_new_privs};

use super::super::command::Command;
use super::super::environment;
use super::super::failure::{Failure, step};
use super::super::standard_pipes;
use super::super::terminal::pty;
use super::super::working_directory;
use super::Task;
use super::intermediate::forbid_looking;
use crate::sys::join_new_session_keyring;
use crate::telling;

/// Both ends of a terminal.
pub(super) struct Ends {
    pub master: OwnedFd,
    pub slave: OwnedFd,
}

/// Opens a terminal of the container's own, if the process is to have one; it belongs to the process's user.
pub(super) fn open_terminal(process: &Process) -> Result<Option<Ends>, Failure> {
    if process.terminal() != Some(true) {
        return Ok(None);
    }
    let open = || -> io::Result<Ends> {
        let master = pty::open_inside()?;
        let slave = pty::slave_of(&master)?;
        let owner = rustix::process::Uid::from_raw(process.user().uid());
        if fstat(&slave)?.st_uid != owner.as_raw() {
            fchown(&slave, Some(owner), None)?;
        }
        Ok(Ends { master, slave })
    };
    open().map(Some).map_err(|error| Failure::Step {
        step: "open a terminal".to_owned(),
        reason: error.to_string(),
    })
}

/// Takes on working directory, identity and privileges, and finds the command. What is left of the caller's
/// rights afterwards is what the specification gives.
pub(super) fn take_on(task: &Task<'_>, system: &dyn Syscall) -> Result<Command, Failure> {
    let process = task.process;
    if let Some(bits) = process.user().umask() {
        let mode = Mode::from_bits(bits).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL));
        step("set the umask", || {
            umask(mode?);
            Ok(())
        })?;
    }
    // As the root of the container first, as runc does: its user need not be able to reach the directory.
    let is_there = chdir(process.cwd()).is_ok();
    if task.target.has_user_namespace() {
        step("give its pipes to the process's user", || {
            standard_pipes::give_from_inside(task.spec)
        })?;
    }
    become_user(task, process, system)?;
    let cwd = process.cwd().display();
    step(&format!("chdir to cwd (\"{cwd}\")"), || {
        // A file system may refuse root and nobody else.
        working_directory::enter(process.cwd(), is_there)
    })?;
    let command = find_command(task, process)?;
    step("drop capabilities", || drop_capabilities(task, system))?;
    if process.no_new_privileges() == Some(true) {
        step("set no_new_privs", || Ok(set_no_new_privs(true)?))?;
    }
    Ok(command)
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
    step("make a session keyring", join_new_session_keyring)
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

/// The command, with the environment completed where the specification's isn't promised to be all of it.
fn find_command(task: &Task<'_>, process: &Process) -> Result<Command, Failure> {
    let mut process = process.clone();
    if !task.is_sealed {
        let listed = process.env().clone().unwrap_or_default();
        process.set_env(Some(environment::complete(listed, process.user().uid())));
    }
    Command::of(&process)
}

fn drop_capabilities(task: &Task<'_>, system: &dyn Syscall) -> io::Result<()> {
    let sets = task.process.capabilities().clone();
    // Absent ones were made explicit when the process was taken in.
    let sets = sets.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    drop_privileges(&sets, system).map_err(told)?;
    match task.capabilities {
        Some(own) => Ok(set_capabilities(None, own)?),
        None => Ok(()),
    }
}

fn told(error: impl std::error::Error) -> io::Error {
    io::Error::other(telling::line(&error))
}
