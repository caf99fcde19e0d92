//! The first process's way into its cgroup, which is made and limited before anything of the container runs
//! in it.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use oci_spec::runtime::{LinuxResources, Spec};

use super::cgroup::Start;
use super::first_process::Place;
use super::process::ProcessId;
use super::store::Container;
use super::{Error, Result};

/// The container's cgroup, for its first process.
pub(super) struct InCgroup<'a> {
    container: &'a mut Container,
    resources: Option<&'a LinuxResources>,
    is_rootless: bool,
    keeps_affinity: bool,
    birthplace: Option<File>,
    /// Whether most of it is still to be made and limited, beside the process: see [`claim_birthplace`].
    pub(super) is_made_beside: bool,
}

/// Makes the cgroup with the limits of `spec`, unless systemd is to make it around the process. To be saved before a process
/// is in it: what was intended is noted, which is enough until then. Afterwards the
/// container's placement is where it really is: without root some hierarchies may have had to be left out.
///
/// # Errors
/// Where it can't be made, or a limit can't be set.
pub(super) fn claim(container: &mut Container, spec: &Spec, is_rootless: bool) -> Result<()> {
    if container.snapshot.cgroup.unit().is_some() {
        return Ok(());
    }
    container.snapshot.cgroup.claim(is_rootless)?;
    limit(container, resources(spec), is_rootless)
}

/// Makes as much of it as the first process is born into, if it is into any. [`InCgroup`] makes and limits the rest while that
/// process is busy with what doesn't depend on it.
///
/// # Errors
/// Where it can't be made.
pub(super) fn claim_birthplace(container: &mut Container) -> Result<()> {
    let cgroup = &mut container.snapshot.cgroup;
    match cgroup.unit() {
        Some(_) => Ok(()),
        None => cgroup.claim_birthplace(),
    }
}

fn limit(
    container: &Container,
    resources: Option<&LinuxResources>,
    is_rootless: bool,
) -> Result<()> {
    let cgroup = &container.snapshot.cgroup;
    if let Some(resources) = resources {
        cgroup.limit(resources)?;
    }
    cgroup.restrict_devices(resources, is_rootless)
}

fn resources(spec: &Spec) -> Option<&LinuxResources> {
    let linux = spec.linux().as_ref();
    linux.and_then(|linux| linux.resources().as_ref())
}

impl<'a> InCgroup<'a> {
    /// The way into the cgroup that [`claim`] made, or [`claim_birthplace`] in part, or that systemd is to make. With
    /// `keeps_affinity` the process keeps to the processors that its caller keeps to.
    ///
    /// # Errors
    /// Where the cgroup can't be opened.
    pub(super) fn new(
        container: &'a mut Container,
        spec: &'a Spec,
        is_rootless: bool,
        keeps_affinity: bool,
    ) -> Result<Self> {
        let cgroup = &container.snapshot.cgroup;
        let birthplace = match cgroup.unit() {
            Some(_) => None,
            None => cgroup.birthplace()?,
        };
        Ok(Self {
            container,
            resources: resources(spec),
            is_rootless,
            keeps_affinity,
            birthplace,
            is_made_beside: false,
        })
    }

    fn make_the_rest(&mut self) -> Result<()> {
        if !self.is_made_beside {
            return Ok(());
        }
        let snapshot = &mut self.container.snapshot;
        snapshot.cgroup.claim_others()?;
        if !snapshot.has_pid_namespace && !snapshot.cgroup.has_own_name() {
            // Neither the first process's end nor a name would tell what is to be ended in there.
            self.container.save()?;
        }
        limit(self.container, self.resources, self.is_rootless)
    }

    fn start_unit(&mut self, pid: i32) -> Result<()> {
        let snapshot = &mut self.container.snapshot;
        snapshot.cgroup.start_unit(&Start {
            id: &snapshot.id,
            pid,
            resources: self.resources,
            annotations: &snapshot.annotations,
        })?;
        self.container.save()?;
        self.container.snapshot.cgroup.claim(self.is_rootless)?;
        self.container.save()?;
        limit(self.container, self.resources, self.is_rootless)
    }
}

impl Place for InCgroup<'_> {
    fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.birthplace.as_ref().map(AsFd::as_fd)
    }

    fn enter(&self, is_born: bool) -> Result<()> {
        let cgroup = &self.container.snapshot.cgroup;
        if cgroup.unit().is_none() {
            cgroup.enter(is_born)?;
        }
        if !self.keeps_affinity && !cgroup.is_anothers() {
            forget_affinity();
        }
        Ok(())
    }

    fn put_in(&mut self, pid: i32) -> Result<()> {
        if self.container.snapshot.cgroup.unit().is_none() {
            return self.make_the_rest();
        }
        self.start_unit(pid)?;
        self.container.snapshot.cgroup.put_in(pid)
    }

    fn born(&mut self, pid: i32) -> Result<()> {
        let process = ProcessId::of(pid).map_err(Error::step("look at the first process"))?;
        self.container.snapshot.process = Some(process);
        self.container.save()
    }
}

/// Lets this process run on every processor of its cgroup, whatever its caller keeps to, as runc and crun do: up to
/// Linux 6.1 the move into the cgroup did so by itself.
pub(super) fn forget_affinity() {
    let mut all = CpuSet::new();
    for processor in 0..CpuSet::count() {
        // There are no others.
        let _ = all.set(processor);
    }
    // Where it may not, it stays on those that it has.
    let _ = sched_setaffinity(Pid::from_raw(0), &all);
}
