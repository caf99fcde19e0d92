//! All unsafe code of this crate.

mod child;
mod confine;
mod range;
mod verity;

pub use child::{spawn_mortal, spawn_server};
pub(crate) use confine::confine;
pub(crate) use range::begin_writing;
pub(crate) use verity::{enable_verity, measure_verity};
