//! Changing the limits of a container.

use oci_spec::runtime::LinuxResources;

use super::snapshot::Status;
use super::store::Container;
use super::{Error, Result};

/// Sets the limits that `changes` names, and lets the others be. Rules on devices may be among them only as
/// they are already: containerd hands over all that it knows.
///
/// # Errors
/// [`Error::WrongStatus`] where nothing runs; a limit that can't be set. Those before it are set then.
pub fn update(container: &Container, changes: &LinuxResources) -> Result<()> {
    let status = container.status();
    if matches!(status, Status::Creating | Status::Stopped) {
        return Err(Error::WrongStatus {
            id: container.id().to_owned(),
            wanted: "running",
            status,
        });
    }
    refuse_other_devices(container, changes)?;
    container.snapshot.cgroup.update(changes)
}

fn refuse_other_devices(container: &Container, changes: &LinuxResources) -> Result<()> {
    let wanted = changes.devices().as_ref().filter(|rules| !rules.is_empty());
    let Some(wanted) = wanted else {
        return Ok(());
    };
    let spec = container.spec()?;
    let linux = spec.linux().as_ref();
    let resources = linux.and_then(|linux| linux.resources().as_ref());
    let held = resources.and_then(|resources| resources.devices().as_ref());
    if held == Some(wanted) {
        return Ok(());
    }
    Err(Error::unsupported(
        "linux.resources.devices",
        "the devices of a container that runs can't be changed",
    ))
}
