//! A container's cgroup, in whatever hierarchies the host has: v1, hybrid or v2.
//!
//! A [`Placement`] says where it is; it is made ([`made`]), entered ([`join`]), limited ([`limits`]), frozen
//! and removed. libcgroups would do most of this, but forgets limits or sets them in an order that the
//! kernel refuses, reads mountinfo for each of a dozen controllers, knows no hierarchy without controllers,
//! and gives up on removing a cgroup with children.

mod devices;
mod freeze;
mod join;
mod layout;
mod limits;
mod made;
mod memory_use;
mod mount;
mod out_of_memory;
mod own;
mod path;
mod placement;
mod prepare;
mod refused_forks;
mod rootless;
mod saved;
mod stats;
mod survey;
mod systemd;
mod tree;
mod update;

pub(super) use join::join;
pub use out_of_memory::OutOfMemory;
pub(in crate::container) use out_of_memory::Remembered;
pub use placement::Placement;
pub(super) use placement::{Wanted, remove_at};
pub(super) use refused_forks::RefusedForks;
pub(super) use rootless::is_in_user_namespace;
pub(super) use stats::Counters;
pub use stats::Stats;
pub(crate) use survey::{SurveyedHierarchy, survey_cgroups};
pub(super) use systemd::Start;
pub(crate) use systemd::survey_systemd;
