//! With whose rights a container is made: the one thing in which root's way and a user's differ.

use std::fs::File;

use std::path::Path;

use anyhow::{Context, Result};
use bundles::shifter::image::Format;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::process::geteuid;

use super::image::Chosen;
use crate::images::check::{Known, check};
use crate::images::own::{enter_namespace, join_namespace, serve};
use crate::images::{Held, Node, Shown};
use crate::tasks::Tasks;

/// With whose rights a container is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Root's, on the user's behalf: the kernel mounts images.
    Rootful,
    /// The user's own, in a user namespace in which the user is who they are outside, and nobody else is anybody.
    Rootless,
}

impl Mode {
    /// This process's.
    pub(super) fn of_this_process() -> Self {
        match geteuid().is_root() {
            true => Self::Rootful,
            false => Self::Rootless,
        }
    }

    /// Puts this process into a mount namespace of its own, where it may mount. What the host mounts later still
    /// appears in it, for a site's `slave` mounts.
    ///
    /// Without root that is in a user namespace: the one of `tasks`, where there are any.
    ///
    /// Whose a file is can only be told before: in a user namespace root is nobody.
    pub(super) fn leave_hosts_mounts(self, tasks: Option<&Tasks>) -> Result<()> {
        const NONE: Option<&str> = None;
        if self == Self::Rootless {
            let entered = match tasks.and_then(Tasks::outer) {
                Some(shared) => join_namespace(shared),
                None => enter_namespace(),
            };
            return Ok(entered?);
        }
        unshare(CloneFlags::CLONE_NEWNS).context("make a mount namespace")?;
        mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)
            .context("make the mount namespace one's own")
    }

    /// Has the image mounted, nowhere yet. `state` is the node's.
    pub(super) fn show(self, chosen: &Chosen, state: &Path) -> Result<Shown> {
        let (image, verify) = (&chosen.image, chosen.verify);
        if self == Self::Rootful {
            return Ok(Shown::Held(Node::open(state)?.hold(image, verify)?));
        }
        if image.meta.format == Format::Vfs {
            return Ok(Shown::Held(Held::directory(image, verify)?));
        }
        let checked = check(image, verify, Known::of_this_user().as_ref())?;
        let file = image.file.try_clone().context("open a descriptor")?;
        let served = serve(&File::from(file));
        let served = served.with_context(|| format!("image {}", image.path.display()))?;
        Ok(Shown::Served(served, checked))
    }
}
