//! One file a subcommand.

pub mod check;
pub mod serve;
pub mod token;
