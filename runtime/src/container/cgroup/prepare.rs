//! What a fresh cgroup needs before a process or a limit can be put into it.

use std::io;
use std::path::Path;

use super::layout::Kind;
use super::made::OnTheWay;
use super::placement::Place;
use crate::kernel_file;

/// The controllers that a cgroup of version 2 gives to those below it.
const SUBTREE: &str = "cgroup.subtree_control";

/// Prepares a directory on the way to a container's cgroup at `place`, or that itself. `gives_controllers`: what
/// is below it is to have the controllers of version 2. In a hybrid layout nothing has, until a limit needs
/// one ([`enable`]).
///
/// # Errors
/// Where the kernel refuses.
pub(super) fn prepare(
    place: &Place,
    here: &OnTheWay<'_>,
    gives_controllers: bool,
) -> io::Result<()> {
    if place.kind.holds("cpuset") && here.directory != place.mount_point {
        return inherit_cpuset(here);
    }
    if place.kind == Kind::Unified && gives_controllers {
        enable_all(here.directory);
    }
    Ok(())
}

/// Enables one controller of version 2 from `mount_point` down to `directory`.
///
/// # Errors
/// Where the kernel refuses: it isn't there, or there are processes on the way.
pub(super) fn enable(controller: &str, mount_point: &Path, directory: &Path) -> io::Result<()> {
    let mut above: Vec<&Path> = directory.ancestors().skip(1).collect();
    above.retain(|path| path.starts_with(mount_point));
    let mut above = above.into_iter().rev();
    above.try_for_each(|path| kernel_file::write(path.join(SUBTREE), &format!("+{controller}")))
}

/// A new cpuset of version 1 is empty, and no process can be put into it: it gets what its parent has.
fn inherit_cpuset(here: &OnTheWay<'_>) -> io::Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let path = here.directory.join(file);
        if !here.is_new && !kernel_file::read(&path)?.trim().is_empty() {
            continue;
        }
        let parent = here.directory.parent().unwrap_or(here.directory);
        let inherited = kernel_file::read(parent.join(file))?;
        kernel_file::write(path, inherited.trim())?;
    }
    Ok(())
}

/// On version 2 a cgroup has the files of a controller only where its parent enables it for its children.
/// All that there are, as runc and crun do: statistics need them too. What can't be enabled (because there
/// are processes in `directory`, or it isn't ours) is missed when a limit needs it, and named there.
fn enable_all(directory: &Path) {
    let names = |file| kernel_file::read(directory.join(file)).unwrap_or_default();
    let (available, enabled) = (names("cgroup.controllers"), names(SUBTREE));
    let enabled: Vec<&str> = enabled.split_whitespace().collect();
    let missing = available
        .split_whitespace()
        .filter(|name| !enabled.contains(name));
    let missing: Vec<String> = missing.map(|name| format!("+{name}")).collect();
    if missing.is_empty() {
        return;
    }
    let file = directory.join(SUBTREE);
    if kernel_file::write(&file, &missing.join(" ")).is_err() {
        // One that is refused must not keep the others out.
        for name in missing {
            let _ = kernel_file::write(&file, &name);
        }
    }
}
