//! Cgroups that systemd makes: a container is a scope, a transient unit around processes of others.

mod bus;
mod message;
mod properties;
mod unit;

use std::collections::HashMap;
use std::path::PathBuf;

use nix::unistd::geteuid;
use oci_spec::runtime::LinuxResources;

use super::super::{Error, Result};
use super::devices;
use super::layout::Layout;
use super::placement::{Place, Placement, Wanted};
use super::rootless::is_in_user_namespace;
use bus::{Bus, Failure};
use properties::{of_annotations, of_devices, of_resources, of_scope};

pub(super) use unit::Unit;

/// Decides which unit a container is, and where that is.
///
/// # Errors
/// A path that names no unit; where there is no systemd, or for an ordinary user no version 2: only there
/// may his manager make cgroups.
pub(super) fn plan(wanted: &Wanted, layout: &Layout) -> Result<(Unit, Vec<Place>)> {
    let is_user = is_user();
    let unit = Unit::named(wanted.path.as_deref(), &wanted.default, is_user)?;
    let root = root(layout, is_user)?;
    let places = layout.joined().map(|hierarchy| {
        let own = hierarchy.below_root(&root).join(unit.cgroup());
        Place {
            kind: hierarchy.kind.clone(),
            mount_point: hierarchy.mount_point.clone(),
            directory: hierarchy.directory(&own),
        }
    });
    let places = places.collect();
    Ok((unit, places))
}

/// The cgroup of the manager that makes this caller's.
fn root(layout: &Layout, is_user: bool) -> Result<PathBuf> {
    if is_user && !layout.is_unified() {
        return Err(Error::unsupported(
            "--systemd-cgroup for an ordinary user",
            "the host's cgroups are of version 1, which systemd gives to nobody but root",
        ));
    }
    Bus::connect(is_user)
        .and_then(|mut bus| bus.control_group())
        .map_err(failed("ask systemd for its cgroup"))
}

/// Whether systemd would make this caller's cgroups.
///
/// # Errors
/// Why not.
pub(crate) fn survey_systemd() -> Result<()> {
    root(&Layout::read()?, is_user()).map(drop)
}

/// Whether the caller's manager is a user's.
fn is_user() -> bool {
    !geteuid().is_root() || is_in_user_namespace()
}

/// What a container's unit is started with.
#[derive(Debug, Clone, Copy)]
pub(in crate::container) struct Start<'a> {
    /// The container.
    pub id: &'a str,
    /// The process to begin with.
    pub pid: i32,
    /// Its limits.
    pub resources: Option<&'a LinuxResources>,
    /// The bundle's annotations: some are properties.
    pub annotations: &'a HashMap<String, String>,
}

impl Placement {
    /// Has systemd make the unit, if that is whose the cgroup is.
    ///
    /// # Errors
    /// systemd's; a limit that can't be set.
    pub(in crate::container) fn start_unit(&mut self, start: &Start<'_>) -> Result<()> {
        let Some(unit) = self.unit() else {
            return Ok(());
        };
        let is_unified = self.is_unified();
        let description = format!("opt-runtime container {}", start.id);
        let mut properties = of_scope(description, &unit.slice, start.pid, is_unified);
        if let Some(resources) = start.resources {
            properties.extend(of_resources(resources, is_unified)?);
        }
        if !is_unified {
            properties.extend(of_devices(&devices::of(start.resources)?));
        }
        properties.extend(of_annotations(start.annotations)?);
        let mut bus = Bus::connect(unit.is_user).map_err(failed("connect to systemd"))?;
        let started = match bus.start_unit(&unit.name, &properties) {
            // A scope of an earlier container's that failed holds the name until it is told to forget.
            Err(exists) if exists.is("UnitExists") && bus.reset_failed_unit(&unit.name).is_ok() => {
                bus.start_unit(&unit.name, &properties)
            }
            other => other,
        };
        started.map_err(failed("start the container's unit"))?;
        self.note_started();
        Ok(())
    }

    /// Tells systemd of changed limits.
    ///
    /// # Errors
    /// systemd's.
    pub(in crate::container) fn update_unit(&self, resources: &LinuxResources) -> Result<()> {
        let Some(unit) = self.unit() else {
            return Ok(());
        };
        let properties = of_resources(resources, self.is_unified())?;
        if properties.is_empty() {
            return Ok(());
        }
        Bus::connect(unit.is_user)
            .and_then(|mut bus| bus.set_properties(&unit.name, &properties))
            .map_err(failed("change the container's unit"))
    }

    /// Has systemd end what is left in the unit and forget it; one that is gone is fine: that is what becomes
    /// of a scope when its last process ends.
    ///
    /// # Errors
    /// systemd's.
    pub(super) fn stop_unit(&self) -> Result<()> {
        let Some(unit) = self.unit() else {
            return Ok(());
        };
        let mut bus = Bus::connect(unit.is_user).map_err(failed("connect to systemd"))?;
        let stopped = match bus.stop_unit(&unit.name) {
            Err(failure) if failure.is("NoSuchUnit") => Ok(()),
            other => other.map_err(failed("stop the container's unit")),
        };
        // It is there only if the unit failed, as one does whose processes were killed for want of memory.
        let _ = bus.reset_failed_unit(&unit.name);
        stopped
    }
}

fn failed(step: &'static str) -> impl FnOnce(Failure) -> Error {
    move |failure| Error::Systemd {
        step,
        reason: failure.to_string(),
    }
}
