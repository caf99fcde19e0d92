//! The process between the runtime and the one that is to execute: it takes on, outside, what takes the
//! caller's rights, joins the container, and makes the other as the runtime's child.
//!
//! Only a child is born into the pid namespace, and until then nobody in the container sees either. What the
//! runtime has open and remembers must be gone by the time of that birth: processes of the container may look
//! into the child from its first moment on (CVE-2016-9962).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use libcontainer::config::PersonalityDomain;
use libcontainer::oci_spec::runtime::{IOPriorityClass, LinuxPersonalityDomain, Process};
use libcontainer::process::cpu_affinity::set_cpuset_affinity_from_string;
use libcontainer::process::memory_policy::setup_memory_policy;
use libcontainer::syscall::Syscall;
use libcontainer::syscall::syscall::create_syscall;
use nix::unistd::{Pid, getpid, setresgid, setresuid};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::super::cgroup;
use super::super::failure::{Failure, step};
use super::super::process::set_own_oom_score;
use super::channel::{Channel, Message};
use super::{Task, member};
use crate::sys::{clone_child, close_descriptors_except, forget_arguments_and_environment};
use crate::telling;

/// The process's life; its value is its exit code.
pub(super) fn run(task: &Task<'_>, channel: &Channel) -> i32 {
    match make_member(task, channel) {
        Ok(()) => 0,
        Err(failure) => {
            task.failures.send(&failure);
            1
        }
    }
}

fn make_member(task: &Task<'_>, channel: &Channel) -> Result<(), Failure> {
    let system = create_syscall();
    let target = &task.target;
    step("close descriptors", || {
        close_but(task, channel, &target.descriptors())
    })?;
    take_on_outside(task, system.as_ref())?;
    // While /proc is the host's.
    step("forget the command line", forget_arguments_and_environment)?;
    step("join the container's namespaces", || target.join())?;
    if target.has_user_namespace() {
        step("become the root of the user namespace", become_root)?;
    }
    step("close descriptors", || close_but(task, channel, &[]))?;
    let mut pid = Pid::from_raw(0);
    step("make the process", || {
        pid = clone_child(true, None, || member::run(task, channel))?;
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

/// What a process inherits from its parent and takes rights that it has outside only.
fn take_on_outside(task: &Task<'_>, system: &dyn Syscall) -> Result<(), Failure> {
    let process = task.process;
    let affinity = process.exec_cpu_affinity().as_ref();
    set_affinity(affinity.and_then(|affinity| affinity.initial().as_deref()))?;
    if let Some(score) = process.oom_score_adj() {
        step("set oom_score_adj", || set_own_oom_score(score))?;
    }
    set_io_priority(process, system)?;
    let linux = task.spec.linux().as_ref();
    step("set the memory policy", || {
        let policy = linux.and_then(|linux| linux.memory_policy().clone());
        setup_memory_policy(&policy, system).map_err(told)
    })?;
    if let Some(personality) = linux.and_then(|linux| linux.personality().as_ref()) {
        let domain = match personality.domain() {
            LinuxPersonalityDomain::PerLinux => PersonalityDomain::Linux,
            LinuxPersonalityDomain::PerLinux32 => PersonalityDomain::Linux32,
        };
        step("set the personality", || {
            system.personality(domain).map_err(told)
        })?;
    }
    // From here on it may be joined with processes that would look into it. Not before: what isn't dumpable
    // can't write its own oom_score_adj as an ordinary user.
    step("forbid being looked into", forbid_looking)?;
    step("join the container's cgroup", || {
        cgroup::join(task.container, getpid().as_raw(), task.sub_cgroups)
            .map_err(|error| io::Error::other(telling::line(&error)))
    })?;
    set_affinity(affinity.and_then(|affinity| affinity.cpu_affinity_final().as_deref()))?;
    for limit in process.rlimits().iter().flatten() {
        step(&format!("set {}", limit.typ()), || {
            system.set_rlimit(limit).map_err(told)
        })?;
    }
    Ok(())
}

/// Denies ptrace(2) and `/proc/PID/fd` to all without CAP_SYS_PTRACE outside. A change of ids may take it
/// back (`fs.suid_dumpable`, proc(5)).
pub(super) fn forbid_looking() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

fn set_affinity(cpus: Option<&str>) -> Result<(), Failure> {
    let Some(cpus) = cpus.filter(|cpus| !cpus.is_empty()) else {
        return Ok(());
    };
    step("set the CPU affinity", || {
        set_cpuset_affinity_from_string(Pid::from_raw(0), cpus).map_err(told)
    })
}

fn set_io_priority(process: &Process, system: &dyn Syscall) -> Result<(), Failure> {
    let Some(priority) = process.io_priority() else {
        return Ok(());
    };
    // ioprio_set(2).
    let class = match priority.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    step("set the I/O priority", || {
        system
            .set_io_priority(class, priority.priority())
            .map_err(told)
    })
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

fn told(error: impl std::error::Error) -> io::Error {
    io::Error::other(telling::line(&error))
}
