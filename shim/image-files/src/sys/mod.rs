//! All unsafe code of this crate.

mod child;
mod confine;

pub use child::{spawn_mortal, spawn_server};
pub(crate) use confine::confine;
