//! Hooks, run through libcontainer, which wants its own form of the state.

use libcontainer::container::{Container as LibcontainerContainer, ContainerStatus};
use libcontainer::oci_spec::runtime::Hook;
use nix::unistd::Pid;

use super::snapshot::Status;
use super::store::Container;
use super::{Error, Result};

/// libcontainer's view of a container, needed wherever it runs hooks.
pub(super) fn libcontainer_view(container: &Container) -> Result<LibcontainerContainer> {
    let snapshot = &container.snapshot;
    let status = match container.status() {
        Status::Creating => ContainerStatus::Creating,
        Status::Created => ContainerStatus::Created,
        Status::Running => ContainerStatus::Running,
        Status::Stopped => ContainerStatus::Stopped,
    };
    let mut view = LibcontainerContainer::default();
    view.root.clone_from(&container.directory);
    view.state.id.clone_from(&snapshot.id);
    view.state.status = status;
    view.state.pid = snapshot.process.map(|process| process.pid);
    view.state.bundle.clone_from(&snapshot.bundle);
    view.state.oci_version.clone_from(&snapshot.oci_version);
    view.set_annotations(Some(snapshot.annotations.clone()));
    Ok(view)
}

/// Runs one of the bundle's lists of hooks in the runtime's namespaces.
///
/// # Errors
/// The first hook that fails; those after it aren't run.
pub(super) fn run(container: &Container, hooks: Option<&Vec<Hook>>) -> Result<()> {
    let Some(hooks) = hooks.filter(|hooks| !hooks.is_empty()) else {
        return Ok(());
    };
    let view = libcontainer_view(container)?;
    let pid = view.state.pid.map(Pid::from_raw);
    libcontainer::hooks::run_hooks(Some(hooks), Some(&view.state), None, pid, None)
        .map_err(|error| Error::Libcontainer(format!("hook: {error}")))
}
