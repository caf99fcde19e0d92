//! All unsafe code of this crate: system calls that no safe wrapper covers.

mod child;
mod descriptors;
mod fork;
mod loop_device;
mod mount_attributes;

pub(crate) use child::spawn_mortal;
pub(crate) use descriptors::close_descriptors_but;
pub(crate) use fork::{fork_child, fork_detached};
pub(crate) use loop_device::attach_loop_device;
pub(crate) use mount_attributes::set_mount_attributes;
