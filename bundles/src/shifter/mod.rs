//! Shifter, the node's side: a site's `udiRoot.conf` and image store, and what a user asks of them.
//!
//! What is read here is what Shifter reads, byte for byte in the same files. Where Shifter quietly changes what it
//! was given (a character that it doesn't like is deleted), it is refused here, with the rule that it breaks.

pub mod accounts;
pub mod cdi;
pub mod command;
pub mod config;
pub mod container;
mod entries;
pub mod environment;
pub mod image;
pub mod records;
pub mod slurm;
pub mod sshd;
pub mod trusted;
pub mod volumes;

pub use config::Config;
