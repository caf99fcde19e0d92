//! All unsafe code of this crate: system calls that no safe wrapper covers, and that `runtime::sys` hasn't.

mod environment;
mod loop_device;
mod peer;

pub(crate) use environment::set_variable;
pub(crate) use loop_device::{Access, attach_loop_device};
pub(crate) use peer::peer_of;
