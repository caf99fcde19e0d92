//! The rows of the promise, one file each.

pub(super) mod bounded;
pub(super) mod few_system_calls;
pub(super) mod no_devices;
pub(super) mod no_privilege;
pub(super) mod no_way_back;
pub(super) mod nobody;
pub(super) mod none_to_gain;
pub(super) mod nothing_inherited;
pub(super) mod own_world;
pub(super) mod setuid_is_dead;
