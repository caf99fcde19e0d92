//! The bundle's limits, written into the cgroup before the first process is in it.

mod common;
mod setting;
mod v1;
mod v2;

use oci_spec::runtime::LinuxResources;

use super::super::{Error, Result};
use super::placement::{Place, Placement};
use super::prepare::enable;
use setting::write_all;

pub(super) use common::set;
pub(super) use setting::{IfAbsent, Setting};

/// What to write for `resources`, but for devices.
///
/// # Errors
/// What the layout has no file for.
pub(super) fn settings(resources: &LinuxResources, is_unified: bool) -> Result<Vec<Setting>> {
    if is_unified {
        v2::settings(resources)
    } else {
        v1::settings(resources)
    }
}

impl Placement {
    /// Sets all limits of `resources` but those on devices.
    ///
    /// # Errors
    /// The key for which this host has no file, or whose value the kernel refuses: a limit is never
    /// ignored. Where an ordinary user has no cgroup, why.
    pub(in crate::container) fn limit(&self, resources: &LinuxResources) -> Result<()> {
        let settings = settings(resources, self.is_unified())?;
        for its in settings.chunk_by(|one, next| one.controller == next.controller) {
            let controller = its[0].controller;
            match self.place_of(controller) {
                Some(place) => write_all(&place.directory, its)?,
                None if controller == "hugetlb" && self.unified().is_some() => {
                    self.limit_huge_pages(resources)?;
                }
                None => return Err(self.cannot(controller, &its[0])),
            }
        }
        Ok(())
    }

    /// A hybrid layout may have this controller, which its version 1 hasn't mounted, in version 2.
    fn limit_huge_pages(&self, resources: &LinuxResources) -> Result<()> {
        let settings = v2::huge_pages(resources);
        let (Some(place), Some(first)) = (self.unified(), settings.first()) else {
            return Ok(());
        };
        enable("hugetlb", &place.mount_point, &place.directory).map_err(|error| {
            match error.raw_os_error() {
                Some(libc::EBUSY | libc::EACCES | libc::EPERM | libc::EROFS) => Error::unsupported(
                    format!("linux.resources.{}", first.key),
                    format!(
                        "the cgroup controller hugetlb can't be enabled on the way to {}: {error}",
                        place.directory.display()
                    ),
                ),
                _ => self.cannot("hugetlb", first),
            }
        })?;
        write_all(&place.directory, &settings)
    }

    /// Where the files of `controller` are.
    pub(super) fn place_of(&self, controller: &str) -> Option<&Place> {
        match self.is_unified() {
            true => self.unified(),
            false => self.holder(controller),
        }
    }

    fn cannot(&self, controller: &str, setting: &Setting) -> Error {
        let key = format!("linux.resources.{}", setting.key);
        match self.why_missing(controller) {
            _ if self.is_disabled() => Error::unsupported(key, "cgroups are disabled"),
            Some(reason) => {
                Error::unsupported(key, format!("the container has no cgroup for it: {reason}"))
            }
            None => Error::unsupported(
                key,
                format!("the cgroup controller {controller} isn't there on this host"),
            ),
        }
    }
}
