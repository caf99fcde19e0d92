//! One file a subcommand.

pub(crate) mod compat;
pub(crate) mod config;
pub(crate) mod explain;
pub(crate) mod image;
pub(crate) mod prolog;
pub(crate) mod run;
pub(crate) mod setup_root;
