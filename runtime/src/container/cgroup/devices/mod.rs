//! Which devices a container's processes may use, make and read: `linux.resources.devices`.
//!
//! Version 1 has a controller with a list; version 2 runs a program at each access.

mod program;
mod rule;
mod v1;

use std::fs::File;

use oci_spec::runtime::LinuxResources;

use super::super::{Error, Result};
use super::placement::Placement;
use crate::sys::attach_device_filter;
use program::program;
use rule::rules;
pub(super) use rule::{Devices, Rule, letters};

impl Placement {
    /// Allows the devices that `resources` allows and those that every container has, and no others.
    ///
    /// # Errors
    /// A rule that says nothing, or that the kernel refuses. Where `is_rootless`, no refusal is one: only
    /// root may restrict devices, and an ordinary user's processes can make none, as with runc and crun.
    pub(in crate::container) fn restrict_devices(
        &self,
        resources: Option<&LinuxResources>,
        is_rootless: bool,
    ) -> Result<()> {
        if self.is_disabled() {
            return refuse_rules(resources);
        }
        let rules = of(resources)?;
        let restricted = match (self.holder("devices"), self.unified()) {
            (Some(place), _) => v1::write(&place.directory, &rules),
            (None, Some(place)) if self.is_unified() => File::open(&place.directory)
                .and_then(|cgroup| attach_device_filter(&cgroup, &program(&rules)))
                .map_err(Error::io("restrict devices in", &place.directory)),
            _ => Err(Error::unsupported(
                "linux.resources.devices",
                "the container has no cgroup that could restrict devices",
            )),
        };
        if is_rootless { Ok(()) } else { restricted }
    }
}

/// The rules for a container with these resources.
///
/// # Errors
/// A rule that says nothing.
pub(super) fn of(resources: Option<&LinuxResources>) -> Result<Vec<Rule>> {
    let listed = resources.and_then(|resources| resources.devices().as_deref());
    rules(listed.unwrap_or_default())
}

/// Without a cgroup no rule holds. The one that callers give every container, "no device", is let pass, as
/// crun does: whoever disables cgroups has been told what goes with them. Any finer rule is refused.
fn refuse_rules(resources: Option<&LinuxResources>) -> Result<()> {
    let listed = resources.and_then(|resources| resources.devices().as_deref());
    let mut rules = rule::listed(listed.unwrap_or_default())?.into_iter();
    match rules.find(|rule| rule.access != rule::ALL) {
        None => Ok(()),
        Some(_) => Err(Error::unsupported(
            "linux.resources.devices",
            "cgroups are disabled",
        )),
    }
}
