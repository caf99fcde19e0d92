//! What the new process is to have and takes rights that the caller has outside only; a process inherits all
//! of it from its parent.

use std::io;

use libcontainer::config::PersonalityDomain;
use libcontainer::oci_spec::runtime::{IOPriorityClass, LinuxPersonalityDomain, Process};
use libcontainer::process::cpu_affinity::set_cpuset_affinity_from_string;
use libcontainer::process::memory_policy::setup_memory_policy;
use libcontainer::syscall::Syscall;
use nix::unistd::Pid;

use super::super::cgroup;
use super::super::failure::{Failure, step};
use super::super::in_cgroup::forget_affinity;
use super::super::process::set_own_oom_score;
use super::super::{resource_limits, standard_pipes};
use super::Task;
use super::intermediate::forbid_looking;
use crate::telling;

/// Takes it on, and joins the container's cgroup as far as the process isn't born there.
pub(super) fn take_on(task: &Task<'_>, is_born: bool, system: &dyn Syscall) -> Result<(), Failure> {
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
        cgroup::join(task.container, is_born, task.sub_cgroups)
            .map_err(|error| io::Error::other(telling::line(&error)))
    })?;
    if affinity.is_none() && !task.is_sealed && !task.container.cgroup.is_anothers() {
        forget_affinity();
    }
    set_affinity(affinity.and_then(|affinity| affinity.cpu_affinity_final().as_deref()))?;
    step("raise the resource limits", || {
        resource_limits::raise(task.spec)
    })?;
    step("give its pipes to the process's user", || {
        standard_pipes::give_from_outside(task.spec, task.id_maps)
    })
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

fn told(error: impl std::error::Error) -> io::Error {
    io::Error::other(telling::line(&error))
}
