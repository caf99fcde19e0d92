//! A mount that is made when everything else is in place already.

use std::os::fd::AsFd;
use std::path::Path;

use libcontainer::oci_spec::runtime::{Mount, Spec};
use rustix::fs::{Mode, OFlags, open};

use super::source::{open_source, set_attributes};
use super::target::attach;
use crate::below::open_below;
use crate::container::mount_namespace::Entrance;
use crate::container::{Error, Result};
use crate::sys::{MountAttr, UnmappedNamespace};

/// As a mount is that was made in the container's namespace: what happens on the host comes in, and nothing
/// goes out.
const SLAVE: MountAttr = MountAttr {
    set: 0,
    clear: 0,
    propagation: libc::MS_SLAVE,
    user_namespace: 0,
};

/// Makes `mount` of a sealed bundle's `spec` in the mount namespace of a created process, to which `entrance` leads. Its target
/// must be there, and is opened through no link. Only root may. `namespace` is for its ids.
///
/// # Errors
/// The step, the path and the cause.
pub(in crate::container) fn attach_late(
    entrance: Entrance,
    mount: &Mount,
    spec: &Spec,
    namespace: Option<&UnmappedNamespace>,
) -> Result<()> {
    let source = open_source(mount, spec, true, namespace)?;
    set_attributes(&source, SLAVE, false)
        .map_err(Error::io("make private the mount", mount.destination()))?;
    entrance.inside(|| {
        let root = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(Error::step("open the container's root"))?;
        let target = open_below(root, mount.destination(), OFlags::DIRECTORY)
            .map_err(|errno| Error::io("open mount target", mount.destination())(errno.into()))?;
        attach(&source, target.as_fd(), Path::new(""))
    })
}
