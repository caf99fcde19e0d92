//! The promise of a sealed bundle: one table, read by everything that makes, checks, explains or starts one.
//!
//! [`PROTECTIONS`] is that table. A row has a *static* check on the spec, made before anything runs, and an
//! *observed* check on the created, not yet started process. There is no second list anywhere: the
//! generator's output is checked against it, `check` and `explain` print it, the start gate compares the
//! process with it, and the tests walk it.

mod capabilities;
mod check;
mod exceptions;
mod explain;
mod kind;
mod observed;
mod observed_mount;
mod rows;
mod seal;
mod spec_view;
#[cfg(test)]
mod tests;
mod user_hooks;

pub use capabilities::{CAPABILITIES, capability_mask};
pub use check::{Report, Row, check, compare};
pub use exceptions::{EXCEPTION_ANNOTATION, Exception, UnknownException, exceptions};
pub use explain::{Explanation, explain};
pub use kind::{KIND_ANNOTATION, Kind, UnknownKind, WHY_ANNOTATION, why_key};
pub use observed::{
    CgroupLimits, Descriptor, JoinedNamespaces, Leads, MountPoint, NamespaceIds, Observed,
    ObservedError, Status, parse_mountinfo, parse_status,
};
pub use rows::no_way_back::SYS_PARTS;
pub use rows::nothing_inherited::is_handed_down;
pub use seal::{MASKED_PATHS, READONLY_PATHS, RunAs, seal, seal_as};
pub use spec_view::{is_bind, shares_tasks};
pub use user_hooks::{USER_HOOKS_ANNOTATION, UserHooksError, user_hooks};

use oci_spec::runtime::Spec;

/// One row of the promise.
///
/// Both checks return what is broken, one sentence a finding; an empty list means that the row is kept.
pub struct Protection {
    /// Short name, as tables print it.
    pub name: &'static str,
    /// Why it is there: the seed and its rule.
    pub reason: &'static str,
    /// What it means for the sandboxed process, as `explain` prints it.
    pub meaning: &'static str,
    /// The same in bundles of the kinds that ask for less: of all but an Opt-Server's.
    pub lesser: Option<&'static str>,
    /// Checks `config.json` alone.
    pub in_config: fn(&Spec, Kind) -> Vec<String>,
    /// Checks the created process.
    pub on_process: fn(&Observed, &Spec, Kind) -> Vec<String>,
}

impl Protection {
    /// What it means in a bundle of this kind.
    pub fn meaning_in(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::OptServer => self.meaning,
            Kind::Sealed | Kind::Shifter => self.lesser.unwrap_or(self.meaning),
        }
    }
}

impl std::fmt::Debug for Protection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Protection")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The promise, row by row, in the order in which it is printed.
pub static PROTECTIONS: [Protection; 10] = [
    rows::no_privilege::ROW,
    rows::none_to_gain::ROW,
    rows::setuid_is_dead::ROW,
    rows::no_devices::ROW,
    rows::few_system_calls::ROW,
    rows::nobody::ROW,
    rows::own_world::ROW,
    rows::no_way_back::ROW,
    rows::nothing_inherited::ROW,
    rows::bounded::ROW,
];
