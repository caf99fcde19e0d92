//! No action: to be the shim.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use runtime::own_executable;
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{getpid, set_child_subreaper};

use crate::address::Address;
use crate::flags::Flags;
use crate::helper::Helper;
use crate::publisher::Publisher;
use crate::service::{Shim, answer, reap};
use crate::{log, ttrpc};

/// By what containerd tells a shim where its events go.
const EVENTS_ADDRESS: &str = "TTRPC_ADDRESS";

/// How long the last events may take on their way.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// Serves the task API on the socket that is standard input, until containerd says to stop.
///
/// # Errors
/// Where that can't begin.
pub fn serve(flags: &Flags) -> Result<()> {
    own_executable::protect().context("protect the shim's own executable")?;
    let directory = std::env::current_dir().context("look at the working directory")?;
    let listener = take_listener()?;
    set_child_subreaper(Some(getpid())).context("become a subreaper")?;
    // The only fork of the shim's, before there is a second thread.
    let helper = Helper::fork().context("make the helper")?;
    log::open(&directory);
    let events =
        std::env::var(EVENTS_ADDRESS).unwrap_or_else(|_| format!("{}.ttrpc", flags.address));
    let publisher = Publisher::start(events, flags.namespace.clone())?;
    let shim = Arc::new(Shim::new(flags.namespace.clone(), helper, publisher));
    let reaping = Arc::clone(&shim);
    thread::Builder::new()
        .name("reaper".to_owned())
        .stack_size(128 << 10)
        .spawn(move || reap(&reaping))?;
    ttrpc::serve(&listener, |request, reply| answer(&shim, request, reply)).context("serve")?;
    if let Some(address) = Address::noted(&directory) {
        address.forget();
    }
    shim.flush_events(LAST_EVENTS);
    Ok(())
}

/// The socket, with /dev/null in its place: whatever is executed from here must not have it.
fn take_listener() -> Result<UnixListener> {
    let stdin = std::io::stdin();
    let socket: OwnedFd = stdin.as_fd().try_clone_to_owned()?;
    let listener = UnixListener::from(socket);
    if listener.local_addr().is_err() {
        bail!("standard input is no socket; hint: containerd starts this program");
    }
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(listener)
}
