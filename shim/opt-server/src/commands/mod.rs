//! One file a subcommand.

pub mod audit;
pub mod check;
pub mod explain;
pub mod keys;
pub mod learn;
pub mod ready;
pub mod run;
pub mod schema;
pub mod start;
