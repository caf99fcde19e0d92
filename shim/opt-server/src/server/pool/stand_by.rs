//! One sandbox that is ready: its process, and the socket to it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;

use runtime::container::ProcessId;

use super::super::functions::Limits;
use super::super::launch::{enforced, flags, own_command};
use super::super::live::Configuration;
use super::super::watch::wait_for;
use crate::execution::ready::{Word, hear};

/// A sandbox that nobody has asked for yet.
#[derive(Debug)]
pub(super) struct StandBy {
    /// The command that it is for.
    pub command: String,
    /// The configuration that it was made for.
    pub made_for: Arc<Configuration>,
    pub process: ProcessId,
    pub child: Child,
    pub socket: UnixStream,
}

impl StandBy {
    /// Makes one. Blocks until it is ready.
    ///
    /// # Errors
    /// Where its process can't be started; what it says.
    pub(super) fn make(
        command: &str,
        made_for: &Arc<Configuration>,
        root: Option<&Path>,
    ) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let mut child = spawn(command, made_for, root, theirs)?;
        let process = i32::try_from(child.id())
            .map_err(io::Error::other)
            .and_then(ProcessId::of);
        let heard = hear::<Word>(&socket);
        match (process, heard) {
            (Ok(process), Ok(Some(Word::Ready))) => Ok(Self {
                command: command.to_owned(),
                made_for: Arc::clone(made_for),
                process,
                child,
                socket,
            }),
            (_, heard) => {
                // It has ended, or does now.
                drop(socket);
                child.wait()?;
                Err(match heard {
                    Ok(Some(Word::Failed(reason))) => io::Error::other(reason),
                    Ok(_) => io::Error::other("its process ended without a word"),
                    Err(error) => error,
                })
            }
        }
    }

    /// Lets it go, and waits until it is gone.
    pub(super) async fn discard(self) {
        let Self {
            mut child,
            process,
            socket,
            ..
        } = self;
        drop(socket);
        wait_for(process).await;
        let _ = child.wait();
    }
}

/// Its limits are those that hold for everybody; an execution's own narrow them.
fn spawn(
    name: &str,
    configuration: &Configuration,
    root: Option<&Path>,
    socket: UnixStream,
) -> io::Result<Child> {
    let settings = &configuration.settings;
    let of_all = Limits {
        max_memory: settings.max_memory_mb,
        max_time: settings.max_time_minutes,
    };
    own_command("ready", &configuration.copy, root)
        .args(flags(&enforced(of_all, settings)))
        .arg("--")
        .arg(name)
        .stdin(OwnedFd::from(socket))
        // What it says of itself it says through the socket.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
