//! What keepers have in common: processes that belong to nobody, keep something for whoever is connected to them, and are
//! found by a socket in a directory. The kernel ends connections of whoever ends, and the keeper goes with the last one.

mod connections;
mod process;
mod state;

pub(crate) use connections::{SOON, wait};
pub(crate) use process::{fork_detached, leave_the_starter};
pub(crate) use state::{Lock, State};
