//! The host's hierarchies as one who asks about the host wants them.

use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::super::Result;
use super::layout::{Hierarchy, Kind, Layout};
use super::own::cgroup_of;
use crate::kernel_file;

/// One hierarchy of the host's.
#[derive(Debug, Clone)]
pub(crate) struct SurveyedHierarchy {
    /// Whether it is version 2.
    pub is_unified: bool,
    /// Its controllers; of a named one none.
    pub controllers: Vec<String>,
    /// Where this caller's containers get their cgroups: below the mount point, or an ordinary user's around
    /// his own.
    pub directory: PathBuf,
}

/// The hierarchies in which a container gets a cgroup.
///
/// # Errors
/// Where mountinfo can't be read.
pub(crate) fn survey_cgroups() -> Result<Vec<SurveyedHierarchy>> {
    let layout = Layout::read()?;
    let surveyed = layout.joined().map(|hierarchy| {
        let own = match geteuid().is_root() {
            true => PathBuf::from("/"),
            false => around_own(hierarchy),
        };
        let directory = hierarchy.directory(&own);
        let controllers = match &hierarchy.kind {
            Kind::Controllers(names) => names.clone(),
            Kind::Named(_) => vec![],
            Kind::Unified => {
                let text = kernel_file::read(directory.join("cgroup.controllers"));
                let text = text.unwrap_or_default();
                text.split_whitespace().map(str::to_owned).collect()
            }
        };
        SurveyedHierarchy {
            is_unified: hierarchy.kind == Kind::Unified,
            controllers,
            directory,
        }
    });
    Ok(surveyed.collect())
}

/// See [`super::path::CgroupPath::below`].
fn around_own(hierarchy: &Hierarchy) -> PathBuf {
    let own = cgroup_of("self", hierarchy).unwrap_or_default();
    match hierarchy.kind {
        Kind::Unified => own.parent().map_or(own.clone(), Path::to_path_buf),
        _ => own,
    }
}
