//! Where a container's cgroup is, in every hierarchy: decided before it is made, and kept in its state.

use std::io;
use std::path::{Path, PathBuf};

use bundles::promise::CgroupLimits;
use serde::{Deserialize, Serialize};

use super::super::{CgroupManager, Error, HostOptions, Result, SignalNumber};
use super::layout::{Kind, Layout};
use super::made::{self, Made, Unavailable};
use super::path::CgroupPath;
use super::prepare::prepare;
use super::systemd::{self, Unit};
use super::tree;
use crate::kernel_file;
use crate::sys::send_signal_to_pid;

/// The cgroup of one container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Whether the host has version 2 only.
    is_unified: bool,
    /// Its directory in each hierarchy.
    places: Vec<Place>,
    /// Hierarchies in which an ordinary user may make none.
    missing: Vec<Missing>,
    /// Whether the caller wants none.
    is_disabled: bool,
    /// The unit that it is, where systemd makes it.
    unit: Option<Unit>,
    /// Whether systemd has made it.
    is_started: bool,
    /// Whether it is named after the container, and so is its own by its name.
    has_own_name: bool,
    /// What was made for it.
    made: Made,
    /// How many processes had been killed in it for want of memory when it became the container's.
    #[serde(default)]
    kills_before: u64,
}

/// A directory in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The hierarchy.
    pub kind: Kind,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// The container's directory in it.
    pub directory: PathBuf,
}

/// A hierarchy in which the container has no cgroup of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Missing {
    /// The hierarchy.
    pub kind: Kind,
    /// Why, for messages.
    pub reason: String,
}

/// What is asked of a container's cgroup.
#[derive(Debug, Clone)]
pub(in crate::container) struct Wanted {
    /// What the bundle names.
    pub path: Option<PathBuf>,
    /// What it is called where the bundle names none.
    pub default: PathBuf,
    /// What the caller says.
    pub host: HostOptions,
}

impl Placement {
    /// Decides where the cgroup is to be. Nothing is made.
    ///
    /// # Errors
    /// Where the host's layout can't be read, or the bundle's name for it is none.
    pub(in crate::container) fn plan(wanted: &Wanted) -> Result<Self> {
        if wanted.host.cgroup_manager == CgroupManager::Disabled {
            return Ok(Self {
                is_disabled: true,
                ..Self::default()
            });
        }
        let layout = Layout::read()?;
        let mut planned = Self {
            is_unified: layout.is_unified(),
            has_own_name: wanted.path.is_none(),
            ..Self::default()
        };
        if wanted.host.cgroup_manager == CgroupManager::Systemd {
            let (unit, places) = systemd::plan(wanted, &layout)?;
            planned.unit = Some(unit);
            planned.places = places;
            planned.intend();
            return Ok(planned);
        }
        let is_rootless = wanted.host.is_rootless();
        let path = match &wanted.path {
            Some(path) => CgroupPath::parse(path)?,
            None if is_rootless => CgroupPath::Relative(wanted.default.iter().skip(1).collect()),
            None => CgroupPath::Absolute(wanted.default.clone()),
        };
        for hierarchy in layout.joined() {
            let path = path.below(hierarchy, is_rootless)?;
            planned.places.push(Place {
                kind: hierarchy.kind.clone(),
                mount_point: hierarchy.mount_point.clone(),
                directory: hierarchy.directory(&path),
            });
        }
        planned.intend();
        Ok(planned)
    }

    fn intend(&mut self) {
        for place in &self.places {
            match self.has_own_name {
                // Its own by its name, whether it is there or not.
                true => self.made.intend_own(&place.directory),
                false => self.made.intend(&place.mount_point, &place.directory),
            }
        }
    }

    /// Makes it in every hierarchy. What is there already is another's, and stays. With `is_rootless`, a
    /// hierarchy in which the caller may make none is left out, unless the bundle names the cgroup.
    ///
    /// # Errors
    /// Where a directory can't be made, or one that is there has processes in it, whose limits the
    /// container would change; what was made is removed again.
    pub(in crate::container) fn claim(&mut self, is_rootless: bool) -> Result<()> {
        self.claim_those(is_rootless, |_| true)?;
        self.settle();
        Ok(())
    }

    /// Likewise, in the hierarchy that its first process is to be born into: see [`Self::birthplace`]. To be followed by
    /// [`Self::claim_others`]; not for an ordinary user, for whom the places may become fewer.
    ///
    /// # Errors
    /// As [`Self::claim`].
    pub(in crate::container) fn claim_birthplace(&mut self) -> Result<()> {
        self.claim_those(false, |place| place.kind == Kind::Unified)
    }

    /// Whether it makes any.
    pub(in crate::container) fn has_birthplace(&self) -> bool {
        let mut places = self.places.iter();
        self.unit.is_none() && places.any(|place| place.kind == Kind::Unified)
    }

    /// Likewise, in all the others.
    ///
    /// # Errors
    /// As [`Self::claim`].
    pub(in crate::container) fn claim_others(&mut self) -> Result<()> {
        self.claim_those(false, |place| place.kind != Kind::Unified)?;
        self.settle();
        Ok(())
    }

    fn claim_those(&mut self, is_rootless: bool, which: impl Fn(&Place) -> bool) -> Result<()> {
        let is_tolerant = is_rootless && self.has_own_name;
        let (is_unified, is_made) = (self.is_unified, self.unit.is_some());
        for place in std::mem::take(&mut self.places) {
            if !which(&place) {
                self.places.push(place);
                continue;
            }
            let path = place.directory.strip_prefix(&place.mount_point);
            let outcome = self.made.make(
                &place.mount_point,
                path.unwrap_or(&place.directory),
                is_made,
                |here| prepare(&place, here, is_unified && !here.is_own),
            );
            match outcome {
                Ok(()) => self.places.push(place),
                Err(Unavailable::Failed(path, error)) if is_tolerant && is_denied(&error) => {
                    self.missing.push(Missing {
                        kind: place.kind,
                        reason: format!("make cgroup {}: {error}", path.display()),
                    });
                }
                Err(unavailable) => {
                    // The first error is the one to report.
                    let _ = self.made.remove(false);
                    return Err(unavailable.into());
                }
            }
        }
        Ok(())
    }

    fn settle(&mut self) {
        self.made.settle();
        let anothers = self.place_of("memory").filter(|place| !self.owns(place));
        self.kills_before = anothers.map_or(0, |_| self.memory_use().killed);
    }

    /// Removes what was made. `with_processes`: kills every process in it and in its children first, as in one that is
    /// named after the container; otherwise those that are there are another container's, and it stays for them.
    ///
    /// # Errors
    /// Where killed processes don't go or a directory stays.
    pub(in crate::container) fn remove(&self, with_processes: bool) -> Result<()> {
        if self.is_started {
            self.stop_unit()?;
        }
        // A process that a killed `exec` was about to bring in is in the cgroup, and not in the pid namespace yet. By
        // its name the cgroup is nobody else's.
        self.made.remove(with_processes || self.has_own_name)
    }

    /// Likewise where `claim` was killed before it could note what it made: a cgroup that is named after
    /// the container is its own by its name, and of one that the bundle names what was to be made.
    ///
    /// # Errors
    /// As [`Self::remove`].
    pub(in crate::container) fn remove_unnoted(&self) -> Result<()> {
        self.made.remove_intended();
        // systemd removes a unit's cgroup when the last process is gone.
        if !self.has_own_name || self.unit.is_some() {
            return Ok(());
        }
        let mut all = self.places.iter();
        all.try_for_each(|place| made::remove(&place.directory, true))
    }

    /// Whether nothing was made for the container, nor is to be: every hierarchy had its cgroup already, or there is none.
    pub(in crate::container) fn is_anothers(&self) -> bool {
        self.made.is_empty() && !self.is_started
    }

    /// Sends `signal` to every process in what was made for the container, while none of them runs: those
    /// that they make meanwhile would be missed.
    ///
    /// # Errors
    /// Where the list of processes can't be read.
    pub(in crate::container) fn signal_all(&self, signal: SignalNumber) -> Result<()> {
        if signal == SignalNumber::KILL && self.kill_at_once() {
            return Ok(());
        }
        let was_frozen = self.is_frozen();
        // Without a freezer, a process that is made just now is missed, as it always was.
        let is_frozen_by_us = !was_frozen && self.freeze().is_ok();
        let processes = self.processes();
        for pid in processes.iter().flatten() {
            // Gone in the meantime is as good.
            let _ = send_signal_to_pid(*pid, signal.0);
        }
        if is_frozen_by_us {
            self.thaw()?;
        }
        processes.map(drop)
    }

    /// Has the kernel kill every process, those that are being made included; since Linux 5.14.
    fn kill_at_once(&self) -> bool {
        let unified = self.unified().filter(|place| self.owns(place));
        unified
            .is_some_and(|place| std::fs::write(place.directory.join("cgroup.kill"), "1").is_ok())
    }

    /// The processes in what was made for the container, and below it.
    ///
    /// # Errors
    /// Where the list of processes can't be read.
    pub(in crate::container) fn processes(&self) -> Result<Vec<i32>> {
        let mut all = vec![];
        for place in &self.places {
            if self.owns(place) {
                all.extend(tree::processes(&place.directory)?);
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// The limits that the kernel holds.
    pub(in crate::container) fn limits(&self) -> CgroupLimits {
        CgroupLimits {
            pids: self.read_number("pids", &["pids.max"]),
            memory: self.read_number("memory", &["memory.limit_in_bytes", "memory.max"]),
        }
    }

    /// Wherever it is; first where it should be, for there are a dozen hierarchies with version 1.
    fn read_number(&self, controller: &str, names: &[&str]) -> Option<i64> {
        let places = self.place_of(controller).into_iter().chain(&self.places);
        places
            .flat_map(|place| names.iter().map(|name| place.directory.join(name)))
            .find_map(|path| kernel_file::read(path).ok()?.trim().parse().ok())
    }

    pub(super) fn kills_before(&self) -> u64 {
        self.kills_before
    }

    /// Whether the cgroup at `place` was made for the container.
    pub(super) fn owns(&self, place: &Place) -> bool {
        self.is_started || self.made.has(&place.directory)
    }

    /// Whether it is named after the container, and so is its own by its name.
    pub(in crate::container) fn has_own_name(&self) -> bool {
        self.has_own_name
    }

    /// The unit that it is, where systemd makes it: then it is made around its first process.
    pub(in crate::container) fn unit(&self) -> Option<&Unit> {
        self.unit.as_ref()
    }

    pub(super) fn note_started(&mut self) {
        self.is_started = true;
    }

    /// Whether the host has version 2 only.
    pub(super) fn is_unified(&self) -> bool {
        self.is_unified
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The place in the hierarchy of version 1 that holds `controller`.
    pub(super) fn holder(&self, controller: &str) -> Option<&Place> {
        self.places
            .iter()
            .find(|place| place.kind.holds(controller))
    }

    /// The place in the hierarchy of version 2.
    pub(super) fn unified(&self) -> Option<&Place> {
        self.places.iter().find(|place| place.kind == Kind::Unified)
    }

    /// Whether the caller wants the container to stay in his own cgroup.
    pub(super) fn is_disabled(&self) -> bool {
        self.is_disabled
    }

    /// Why the container has no cgroup with `controller`, where it was refused one.
    pub(super) fn why_missing(&self, controller: &str) -> Option<&str> {
        let mut all = self.missing.iter();
        let missing =
            all.find(|missing| missing.kind.holds(controller) || missing.kind == Kind::Unified)?;
        Some(&missing.reason)
    }
}

impl From<Unavailable> for Error {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::InUse(path) => Self::CgroupInUse(path),
            Unavailable::Frozen(path) => Self::CgroupFrozen(path),
            Unavailable::Failed(path, error) => Self::io("make cgroup", path)(error),
        }
    }
}

/// What the kernel says to a user who may not: no permission, a read-only mount.
fn is_denied(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EACCES | libc::EPERM | libc::EROFS)
    )
}

/// Removes the cgroup `path`, taken from each hierarchy's root, with every process in it: all that is known
/// of a container whose state can't be read.
///
/// # Errors
/// As [`Placement::remove`].
pub(in crate::container) fn remove_at(path: &Path) -> Result<()> {
    let layout = Layout::read()?;
    let mut all = layout.hierarchies().iter();
    all.try_for_each(|hierarchy| made::remove(&hierarchy.directory(path), true))
}
