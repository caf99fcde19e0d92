//! One file a subcommand.

pub mod keys;
pub mod run;
pub mod start;
