//! `image release`: what `image mount` left mounted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::fs::{StatVfsMountFlags, fstatvfs};
use rustix::mount::{UnmountFlags, unmount};

use super::place::{State, open_place};
use crate::images::Node;

/// Arguments of `image release`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: State,
    /// Directories that an image was mounted on
    #[arg(required = true)]
    directories: Vec<PathBuf>,
}

/// Unmounts them. The image itself goes with whoever uses it last.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let node = Node::open(&arguments.state.state)?;
    for directory in &arguments.directories {
        release(&node, directory)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn release(node: &Node, directory: &Path) -> Result<()> {
    use std::os::fd::AsRawFd;

    let shown = directory.display();
    let place = open_place(directory)?;
    let canonical = directory.canonicalize();
    let canonical = canonical.with_context(|| format!("find the directory {shown}"))?;
    let was_held = node.forget_place(&canonical.to_string_lossy())?;
    // Its keeper may have been killed. What else is mounted so is nothing that root has to write to.
    let flags = fstatvfs(&place).context("look at what is mounted")?.f_flag;
    let of_images =
        StatVfsMountFlags::RDONLY | StatVfsMountFlags::NOSUID | StatVfsMountFlags::NODEV;
    if !flags.contains(of_images) {
        if was_held {
            return Ok(());
        }
        bail!("{shown}: no image is mounted there");
    }
    // By the descriptor, so that nothing else is unmounted if the name leads elsewhere by now.
    let found = format!("/proc/self/fd/{}", place.as_raw_fd());
    unmount(&*found, UnmountFlags::DETACH).with_context(|| format!("unmount {shown}"))
}
