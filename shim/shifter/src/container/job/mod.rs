//! Containers that root prepares for a job, in its prolog, and that the job's user runs without root.
//!
//! Below the site's `udiMount` each job has a directory, a file system of memory that only its user can enter and nobody
//! can change:
//!
//! | | |
//! |---|---|
//! | `image`, `volumes/N`, `host/…` | what is mounted for the container: the user's volumes, and what is the host's |
//! | `bundle` | the bundle, its root file system mounted |
//! | `container.json` or `refusal.json` | what it was made from, or why it wasn't made: see [`record`] |
//! | `state` | another file system of memory, the user's own: the state of the containers that run |
//!
//! All of it is mounts, so taking the mounts away in the epilog takes away everything, whatever was killed before.

mod place;
mod processes;
mod record;
mod remove;
mod set_up;
mod step;

pub use place::Key;
pub use remove::remove;
pub use set_up::{Asked, refuse, set_up};
pub(super) use step::Step;
