//! Whose rights these programs have: their caller's, and nobody else's.
//!
//! A copy over a setuid program of the same name, as Shifter's is, keeps that one's bits: whoever calls it could then
//! be whom root can be.

use std::path::PathBuf;

use nix::unistd::{getegid, geteuid, getgid, getuid};

use crate::own_executable;

/// The program's file gives rights that its caller hasn't.
#[derive(Debug, thiserror::Error)]
#[error("this program is not meant to be setuid or setgid; hint: chmod ug-s {}", .0.display())]
pub struct SetId(PathBuf);

/// To be asked before anything is done for the caller.
///
/// # Errors
/// Where the program is setuid or setgid to anybody but whoever calls it.
pub(crate) fn refuse() -> Result<(), SetId> {
    match getuid() == geteuid() && getgid() == getegid() {
        true => Ok(()),
        false => Err(SetId(own_executable::path().unwrap_or_default())),
    }
}
