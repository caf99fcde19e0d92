//! Letting the created process execute the command.

use std::os::unix::net::UnixStream;

use super::failure::FailureReader;
use super::snapshot::{Status, milliseconds_since_boot};
use super::store::Container;
use super::{Error, Result, hooks};

/// Starts a created container: comes back when it has executed its command, and the poststart hooks have
/// run.
///
/// # Errors
/// [`Error::WrongStatus`] for any other status; why the command could not be executed.
pub fn start(container: Container) -> Result<()> {
    must_be_created(&container)?;
    start_created(container, None, |_| Ok(()))
}

fn must_be_created(container: &Container) -> Result<()> {
    container.must_be(Status::Created, "created")
}

/// The same, of a container that this process has just created: whether it is still there is asked only where it can't be told
/// to start. `failures`: as [`super::Created`] has it. `meanwhile` is done while the process executes its command.
///
/// # Errors
/// As [`start`]; those of `meanwhile`. The command may be running then.
pub(super) fn start_created(
    mut container: Container,
    failures: Option<FailureReader>,
    meanwhile: impl FnOnce(&mut Container) -> Result<()>,
) -> Result<()> {
    let (reader, named) = match failures {
        Some(reader) => (reader, None),
        None => {
            let path = container.failures();
            (FailureReader::at(&path)?, Some(path))
        }
    };
    if let Err(error) = notify(&container) {
        must_be_created(&container)?;
        return Err(error);
    }
    // It has served; the directory of a running container holds its state and nothing else.
    if let Some(path) = named {
        std::fs::remove_file(&path).map_err(Error::io("remove", path))?;
    }
    meanwhile(&mut container)?;
    container.snapshot.status = Status::Running;
    container.snapshot.started = Some(milliseconds_since_boot());
    container.save()?;
    // Unlocked: hooks may take their time, and others may look at the container, signal or delete it.
    let patience = container.patience();
    let snapshot = container.unlock();
    reader.wait_for_execution().map_err(|error| match error {
        Error::NotExecuted if snapshot.cgroup.was_out_of_memory() => Error::OutOfMemory,
        other => other,
    })?;
    tracing::debug!(id = snapshot.id, "started");
    let hooks = snapshot.hooks.as_ref();
    let poststart = hooks.and_then(|hooks| hooks.poststart().as_ref());
    hooks::run_late(&snapshot, "poststart", poststart, patience);
    Ok(())
}

/// The process waits for a connection and for its end; what is written doesn't matter.
///
/// The socket is reached through a descriptor of its directory: its own path may be longer than the
/// 107 bytes that an address holds.
fn notify(container: &Container) -> Result<()> {
    use rustix::fs::{Mode, OFlags, open};
    use std::os::fd::AsRawFd;

    let path = container.notify_socket();
    let directory = open(
        &container.directory,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| Error::io("open", &container.directory)(errno.into()))?;
    let short = format!("/proc/self/fd/{}/notify.sock", directory.as_raw_fd());
    UnixStream::connect(short).map_err(Error::io("connect to", &path))?;
    std::fs::remove_file(&path).map_err(Error::io("remove", &path))
}
