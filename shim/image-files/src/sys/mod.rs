//! All unsafe code of this crate.

mod child;

pub use child::{spawn_mortal, spawn_server};
