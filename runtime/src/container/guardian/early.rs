//! A guardian that is there before the program begins: where it executes itself once more, one process does and the other guards
//! it (see `guard_before_libc` in [`crate::sys`]).

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{Pid, getppid};
use rustix::net::sockopt::socket_peercred;

use super::super::store::Store;
use super::super::supervise::Signals;
use super::{Guardian, stand_by};
use crate::container::{Error, Result};
use crate::set_id;
use crate::sys;
use crate::telling::OURS;

/// The worker's end of the socket, until its run takes it.
static SOCKET: Mutex<Option<OwnedFd>> = Mutex::new(None);

fn socket() -> std::sync::MutexGuard<'static, Option<OwnedFd>> {
    SOCKET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes this process's guardian, if it has one already; before anything else is looked at or opened.
pub(crate) fn note() {
    *socket() = sys::guardian();
}

/// The descriptor that holds it, for whoever closes others.
pub(in crate::container) fn descriptor() -> Option<RawFd> {
    socket().as_ref().map(AsRawFd::as_raw_fd)
}

/// The process that was called, where this is a worker's: what a caller says of a process by its pid, he says of that one.
pub(in crate::container) fn called() -> Option<Pid> {
    descriptor().map(|_| getppid())
}

/// The guardian, once, if there is one.
///
/// # Errors
/// Where it is gone already, or isn't this process's parent.
pub(super) fn take() -> Result<Option<Guardian>> {
    let Some(socket) = socket().take() else {
        return Ok(None);
    };
    let failed = "find the first process of this run";
    // Of a pair of sockets it is whoever made them.
    let made_by = socket_peercred(socket.as_fd()).map_err(Error::step(failed))?;
    let guardian = Pid::from_raw(made_by.pid.as_raw_nonzero().get());
    if guardian != getppid() {
        let gone = std::io::Error::from_raw_os_error(libc::ESRCH);
        return Err(Error::step(failed)(gone));
    }
    Ok(Some(Guardian::new(guardian, socket)))
}

/// Lets this process be as if it had no guardian: what it does holds nothing in the foreground, and any signal may end it.
pub(crate) fn let_go() {
    if socket().take().is_some() {
        let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&SigSet::all()), None);
    }
}

/// Guards `worker`, which asks through `socket`, to its end; gives the code to exit with. Where it was killed, `store` tells where
/// it may have made a container.
pub(crate) fn guard(worker: Pid, socket: &OwnedFd, store: impl FnOnce() -> Option<Store>) -> i32 {
    // The worker looks, too, and tells.
    if set_id::refuse().is_err() {
        return OURS.into();
    }
    let Ok(mut signals) = Signals::block() else {
        return OURS.into();
    };
    stand_by(worker, &mut signals, socket, store, |_| {})
}
