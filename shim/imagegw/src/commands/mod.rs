//! One file a subcommand.

pub mod check;
pub mod make;
pub mod serve;
pub mod token;
