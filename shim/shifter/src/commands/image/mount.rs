//! `image mount`: an image of the store on a directory, for a command or to stay.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use bundles::shifter::image::Caller;
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};

use super::place::{Place, State, open_place};
use crate::images::{ImageError, Node};

/// Arguments of `image mount`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    place: Place,
    /// Whom the image is for: one who may have it
    #[arg(long = "for", value_name = "UID:GID[:GROUP]...", value_parser = caller)]
    caller: Option<Caller>,
    /// The image's identifier in the store
    image: String,
    /// The directory to mount it on
    directory: PathBuf,
    /// A command for which alone it is mounted; without one it stays mounted until `image release`
    #[arg(last = true)]
    command: Vec<String>,
}

/// Mounts it; runs the command in the place of this process, if there is one.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    if !rustix::process::geteuid().is_root() {
        bail!(ImageError::NotRoot {
            what: "mounting an image of the store",
            hint: "root does it in the job's prolog",
        });
    }
    let nobody_in_particular = || Caller {
        uid: 0,
        gid: 0,
        groups: vec![],
    };
    let caller = arguments.caller.clone();
    let caller = caller.unwrap_or_else(nobody_in_particular);
    let image = arguments.place.image(&arguments.image, &caller)?;
    let held = Node::open(&arguments.state.state)?.hold(&image)?;
    let shown = arguments.directory.display();
    let Some((program, rest)) = arguments.command.split_first() else {
        let directory = fs::canonicalize(&arguments.directory)
            .with_context(|| format!("find the directory {shown}"))?;
        let name = directory.to_str();
        let name = name.with_context(|| format!("the path {shown} is not UTF-8 text"))?;
        held.attach(open_place(&arguments.directory)?)?;
        held.keep(name)?;
        return Ok(ExitCode::SUCCESS);
    };
    unshare(CloneFlags::CLONE_NEWNS).context("make a mount namespace")?;
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).context("keep mounts from the host")?;
    held.attach(open_place(&arguments.directory)?)?;
    held.hold_on()?;
    // A working directory below the mount would be the one that it hides.
    if let Ok(here) = env::current_dir() {
        let _ = env::set_current_dir(here);
    }
    let error = std::process::Command::new(program).args(rest).exec();
    Err(error).with_context(|| format!("run {program}"))
}

fn caller(text: &str) -> Result<Caller, String> {
    let ids: Result<Vec<u32>, _> = text.split(':').map(str::parse).collect();
    match ids.as_deref() {
        Ok([uid, gid, groups @ ..]) => Ok(Caller {
            uid: *uid,
            gid: *gid,
            groups: groups.to_vec(),
        }),
        _ => Err("not UID:GID and groups, in numbers".to_owned()),
    }
}
