//! Stopping a container's processes where they are, and letting them go on.

use super::Result;
use super::snapshot::Status;
use super::store::Container;

/// Pauses a running container.
///
/// # Errors
/// [`super::Error::WrongStatus`] for any other status; where its processes can't be stopped.
pub fn pause(container: &Container) -> Result<()> {
    container.must_be(Status::Running, "running")?;
    container.snapshot.cgroup.freeze()
}

/// Lets a paused container go on.
///
/// # Errors
/// [`super::Error::WrongStatus`] for any other status.
pub fn resume(container: &Container) -> Result<()> {
    container.must_be(Status::Paused, "paused")?;
    container.snapshot.cgroup.thaw()
}
