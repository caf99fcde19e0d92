//! `checkpoint` and `restore`, by criu.
//!
//! criu saves the processes of a container in files, its *images*, and makes them again. We tell it what isn't the
//! container's own, make the cgroup, and keep the state. A sealed bundle is neither saved nor restored: what
//! an image holds is nothing that could be checked before it runs.

mod criu;
mod dump;
mod external;
mod restore;
mod verify;

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;

use nix::unistd::geteuid;

use super::{Error, Result};
pub use criu::CriuOptions;
pub use dump::{DumpOptions, checkpoint};
pub use restore::{RestoreOptions, restore};

fn needs_root() -> Result<()> {
    if geteuid().is_root() {
        return Ok(());
    }
    Err(Error::unsupported(
        "checkpoint and restore",
        "criu needs root",
    ))
}

fn refuse_sealed(is_sealed: bool) -> Result<()> {
    if !is_sealed {
        return Ok(());
    }
    Err(Error::unsupported(
        "checkpoint and restore of a sealed bundle",
        "what an image holds can't be checked against the promise",
    ))
}

/// The directories of images and log; those of an earlier call are used again.
fn make_directories(options: &CriuOptions) -> Result<()> {
    let all = [Some(&options.images), options.work.as_ref()];
    for directory in all.into_iter().flatten() {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::io("make directory", directory)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
