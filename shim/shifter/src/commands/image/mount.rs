//! `image mount`: an image on a directory, for a command or to stay.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use bundles::shifter::image::Caller;
use nix::sched::{CloneFlags, unshare};
use runtime::policy::{Policy, UsersImages};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getegid, geteuid};
use rustix::thread::set_no_new_privs;

use super::place::{Place, State, open_place};
use crate::images::check::{Known, check};
use crate::images::own::{enter_namespace, serve, users_image};
use crate::images::{Held, ImageError, Node};

/// Arguments of `image mount`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    place: Place,
    /// The site's policy, which says what reads users' own images: fuse, kernel or none
    #[arg(long, value_name = "FILE")]
    policy: Option<String>,
    /// Whom the image is for: one who may have it
    #[arg(long = "for", value_name = "UID:GID[:GROUP]...", value_parser = caller)]
    caller: Option<Caller>,
    /// The image: its identifier in the store, or a file of the user's own, with a slash in its path
    image: String,
    /// The directory to mount it on
    directory: PathBuf,
    /// A command for which alone it is mounted; without one it stays mounted until `image release`
    #[arg(last = true)]
    command: Vec<String>,
}

/// Mounts it; runs the command in the place of this process, if there is one.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let is_own = arguments.image.contains('/');
    match (is_own, geteuid().is_root()) {
        (true, false) => serve_own(arguments),
        (true, true) => mount(arguments, hold_own(arguments)?),
        (false, true) => mount(arguments, hold_of_store(arguments)?),
        (false, false) => bail!(ImageError::NotRoot {
            what: "mounting an image of the store",
            hint: "root does it in a job's prolog; a file of your own has a slash in its path",
        }),
    }
}

fn hold_of_store(arguments: &Arguments) -> Result<Held> {
    let image = arguments.place.image(&arguments.image, &whom(arguments))?;
    let verify = Policy::load(arguments.policy.as_deref())?.verify_images();
    Ok(Node::open(&arguments.state.state)?.hold(&image, verify)?)
}

/// The kernel's hold of a user's own image, which the site has to allow.
fn hold_own(arguments: &Arguments) -> Result<Held> {
    let policy = Policy::load(arguments.policy.as_deref())?;
    if policy.users_images() != UsersImages::Kernel {
        bail!(
            "image {}: is not of the site's store, and the site's policy keeps users' files from the kernel; hint: \
             its user mounts it, without root",
            arguments.image
        );
    }
    let image = users_image(Path::new(&arguments.image), &whom(arguments))?;
    Ok(Node::open(&arguments.state.state)?.hold(&image, policy.verify_images())?)
}

fn mount(arguments: &Arguments, held: Held) -> Result<ExitCode> {
    let shown = arguments.directory.display();
    let Some(command) = Command::of(arguments) else {
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
    command.replace_this_process()
}

/// The user's own image, for a command of the user's.
fn serve_own(arguments: &Arguments) -> Result<ExitCode> {
    let Some(command) = Command::of(arguments) else {
        bail!("an image of your own is mounted for a command only; hint: -- COMMAND");
    };
    let policy = Policy::load(arguments.policy.as_deref())?;
    if policy.users_images() == UsersImages::None {
        bail!("the site's policy allows no images but those of its store");
    }
    let image = users_image(Path::new(&arguments.image), &whom(arguments))?;
    check(
        &image,
        policy.verify_images(),
        Known::of_this_user().as_ref(),
    )?;
    enter_namespace()?;
    let served = serve(&image.file.into()).with_context(|| arguments.image.clone())?;
    served.attach(open_place(&arguments.directory)?)?;
    served.serve_on();
    set_no_new_privs(true).context("set no_new_privs")?;
    command.replace_this_process()
}

/// The one whom the image is for: the caller, unless root says otherwise.
fn whom(arguments: &Arguments) -> Caller {
    let this_process = || Caller {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        groups: vec![],
    };
    arguments.caller.clone().unwrap_or_else(this_process)
}

struct Command<'a> {
    program: &'a str,
    arguments: &'a [String],
}

impl<'a> Command<'a> {
    fn of(arguments: &'a Arguments) -> Option<Self> {
        let (program, arguments) = arguments.command.split_first()?;
        Some(Self { program, arguments })
    }

    fn replace_this_process(&self) -> Result<ExitCode> {
        // A working directory below the mount would be the one that it hides.
        if let Ok(here) = env::current_dir() {
            let _ = env::set_current_dir(here);
        }
        let error = std::process::Command::new(self.program)
            .args(self.arguments)
            .exec();
        Err(error).with_context(|| format!("run {}", self.program))
    }
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
