//! The Opt-Server: its `config.json`, and one command line made into one bundle.

pub mod config;
