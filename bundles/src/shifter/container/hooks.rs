//! The site's scripts: those that root runs while a container is built, and those that the user runs in it.
//!
//! Root's run on the host before there is a bundle: what they leave is part of it like everything else, and of the
//! user's nothing runs with privilege. So a bundle of the promise `shifter` has no hooks. A module's user hook is told
//! to the runtime by an annotation: it runs as the command would, with no more rights.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::mount::{Limits, Planned, planned};
use super::tree::{Shown, Shows, Tree};
use super::{ContainerError, Places, Request};
use crate::bundle::Skeleton;
use crate::shifter::config::Module;
use crate::shifter::sshd;

/// A script that root runs.
#[derive(Debug, Clone)]
pub struct RootHook<'a> {
    /// The key that names it.
    pub key: String,
    /// The script.
    pub script: &'a Path,
}

/// What a script finds in its working directory: the root file system as far as it goes.
#[derive(Debug)]
pub struct Stage<'a> {
    /// Directories and files.
    pub layer: &'a Skeleton,
    /// What the site has mounted there so far.
    pub mounts: Vec<StageMount<'a>>,
}

/// A mount of the site's.
#[derive(Debug)]
pub struct StageMount<'a> {
    /// Where, inside.
    pub destination: &'a Path,
    /// What, opened with `O_PATH`.
    pub source: BorrowedFd<'a>,
    /// Whether with what is mounted below it.
    pub recursive: bool,
    /// Whether nothing can be written there.
    pub read_only: bool,
}

/// What it left.
#[derive(Debug)]
pub struct Left {
    /// Directories and files.
    pub layer: Skeleton,
    /// What it has mounted.
    pub mounts: Vec<LeftMount>,
}

/// A mount that a script made.
#[derive(Debug)]
pub struct LeftMount {
    /// Where, inside.
    pub destination: PathBuf,
    /// Where it is now, on the host.
    pub source: PathBuf,
    /// Which of `ro` and `noexec` it has.
    pub options: Vec<String>,
}

/// Runs a script to its end; one line says why it couldn't or where it failed. The caller decides whether it is run at
/// all: without it, [`None`].
pub type RunHook<'r> =
    dyn FnMut(&RootHook<'_>, &Stage<'_>) -> Result<Option<Left>, ContainerError> + 'r;

/// Runs the script of `key`, if there is one.
pub(super) fn run(
    run_hook: &mut RunHook<'_>,
    key: String,
    script: Option<&Path>,
    places: &Places,
    tree: &mut Tree<'_>,
    mounts: &mut Vec<Planned>,
) -> Result<(), ContainerError> {
    let Some(script) = script else {
        return Ok(());
    };
    let hook = RootHook { key, script };
    let stage = Stage {
        layer: &tree.layer,
        mounts: stage_mounts(tree, mounts),
    };
    let Some(left) = run_hook(&hook, &stage)? else {
        return Ok(());
    };
    tree.layer = left.layer;
    for mount in left.mounts {
        mounts.push(keep(&hook, places, tree, mount)?);
    }
    Ok(())
}

/// Those of `mounts`, in their order, as `tree` has them open.
fn stage_mounts<'a>(tree: &'a Tree<'_>, mounts: &'a [Planned]) -> Vec<StageMount<'a>> {
    let staged = mounts.iter().filter_map(|planned| {
        let destination = planned.mount.destination();
        let mut shown = tree.mounts.iter().rev();
        let shown = shown.find(|shown| shown.destination == *destination)?;
        let Shows::Hosts(source) = &shown.source else {
            return None;
        };
        let mut options = planned.mount.options().iter().flatten();
        Some(StageMount {
            destination,
            source: source.as_fd(),
            recursive: shown.recursive,
            read_only: options.any(|option| option == "ro"),
        })
    });
    staged.collect()
}

/// A mount of the script's, as one of the container's.
fn keep(
    hook: &RootHook<'_>,
    places: &Places,
    tree: &mut Tree<'_>,
    mount: LeftMount,
) -> Result<Planned, ContainerError> {
    let opened = openat(
        CWD,
        &mount.source,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let source = opened.map_err(|errno| ContainerError::File {
        key: hook.key.clone(),
        path: mount.source.clone(),
        source: errno.into(),
    })?;
    let from = match &places.host {
        None => mount.source.clone(),
        Some(host) => host.join(tree.mounts.len().to_string()),
    };
    let has = |name: &str| mount.options.iter().any(|option| option == name);
    tree.mounts.push(Shown {
        destination: mount.destination.clone(),
        source: Shows::Hosts(source),
        recursive: true,
        limits: Limits {
            read_only: has("ro"),
            no_exec: has("noexec"),
        },
    });
    let mut options = vec!["rbind", "nosuid", "rnosuid", "nodev", "rnodev", "rprivate"];
    options.extend(mount.options.iter().map(String::as_str));
    let why = format!("{} of the site mounted it", hook.key);
    Ok(planned(&mount.destination, "bind", &from, &options, why))
}

/// What the user runs before the command, in the order of the modules; last what starts an sshd.
pub(super) fn of_user(request: &Request<'_>) -> Option<String> {
    let hooks = request.modules.iter();
    let mut hooks: Vec<&Path> = hooks
        .filter_map(|module: &&Module| module.user_hook.as_deref())
        .collect();
    let starts = request.sshd.as_ref().is_some_and(|sshd| sshd.starts);
    hooks.extend(starts.then_some(Path::new(sshd::START)));
    let text = serde_json::to_string(&hooks).ok();
    text.filter(|_| !hooks.is_empty())
}
