//! Removing a container, so that nothing of it is left.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};

use super::guardian::{made_up_id, sweep_notes_of};
use super::process::{self, ProcessId, is_alive, is_foreign};
use super::remove_tree::remove_tree;
use super::snapshot::{Snapshot, Status};
use super::store::{Container, Store};
use super::{Error, Result, callers_mounts, cgroup, hooks};

/// How long a killed process may take to go.
const GONE_WITHIN: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Deletes the container `id`; with `force` in whatever state it is, and nothing there is fine.
///
/// # Errors
/// [`Error::WrongStatus`] without `force` where the process still runs; whatever stays in the way.
pub fn delete(store: &Store, id: &str, force: bool) -> Result<()> {
    if force {
        return remove_everything(store, id);
    }
    let container = store.open(id)?;
    let status = container.status();
    // The OCI spec's rule, which runc and crun don't keep for a created container.
    if status != Status::Stopped {
        return Err(Error::WrongStatus {
            id: id.to_owned(),
            wanted: "stopped",
            status,
        });
    }
    remove_with_note(store, container)
}

/// As [`remove`], and with what notes that a run held it, which was killed.
fn remove_with_note(store: &Store, container: Container) -> Result<()> {
    let id = container.id().to_owned();
    let holder = container.snapshot.supervisor;
    remove(container)?;
    match holder {
        // Who lives does it by itself.
        Some(run) if !is_alive(run) => store.end_killed_run(&made_up_id(run), &id),
        _ => Ok(()),
    }
}

/// Kills what runs, then removes cgroup, scratch and state, and runs the poststop hooks.
pub(super) fn remove(container: Container) -> Result<()> {
    if let Some(process) = container.snapshot.process {
        end(&container.snapshot, process)?;
    }
    remove_resources(&container.snapshot)?;
    if let Some(before) = &container.snapshot.mounts_before {
        callers_mounts::remove(&container.snapshot.rootfs, before)?;
    }
    remove_tree(&container.directory)?;
    tracing::debug!(id = container.id(), "deleted");
    let poststop = container
        .snapshot
        .hooks
        .as_ref()
        .and_then(|hooks| hooks.poststop().as_ref());
    hooks::run_late(
        &container.snapshot,
        "poststop",
        poststop,
        container.patience(),
    );
    Ok(())
}

/// Kills the first process, and with it its pid namespace, and waits until it is gone.
fn end(container: &Snapshot, process: ProcessId) -> Result<()> {
    if is_foreign(process) {
        return Err(Error::OtherNamespace(container.id.clone()));
    }
    let descriptor = match process::open(process) {
        Ok(descriptor) => descriptor,
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
        Err(error) => return Err(Error::step("open the container's process")(error)),
    };
    match pidfd_send_signal(&descriptor, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(errno) => return Err(Error::step("kill the container's process")(errno)),
    }
    container.cgroup.let_killed_go()?;
    let mut waiting = [PollFd::new(&descriptor, PollFlags::IN)];
    let ended = poll(&mut waiting, Some(&GONE_WITHIN))
        .map_err(Error::step("wait for the container's process to end"))?;
    if ended == 0 {
        let late = std::io::Error::from_raw_os_error(libc::ETIMEDOUT);
        return Err(Error::step("wait for the killed process to end")(late));
    }
    Ok(())
}

fn remove_resources(snapshot: &Snapshot) -> Result<()> {
    // Outside of a pid namespace of its own, the cgroup is what holds a container's processes together.
    let with_processes = snapshot.status == Status::Creating || !snapshot.has_pid_namespace;
    snapshot.cgroup.remove(with_processes)?;
    if snapshot.status == Status::Creating {
        snapshot.cgroup.remove_unnoted()?;
    }
    Ok(())
}

/// Removes whatever the directory of `id` still says is there: the wreck of a create that failed or was
/// killed.
pub(super) fn remove_everything(store: &Store, id: &str) -> Result<()> {
    match store.open_by_force(id) {
        Ok(container) => remove_with_note(store, container),
        Err(Error::DoesNotExist(_) | Error::Config { .. }) => match store.directory_of(id)? {
            Some(directory) => {
                cgroup::remove_at(&store.cgroup(id))?;
                remove_tree(&directory)
            }
            None => sweep_notes_of(store, id),
        },
        Err(error) => Err(error),
    }
}
