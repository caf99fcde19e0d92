//! The helper's side.

use std::cell::Cell;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Result, bail};
use runtime::sys::clone_child;

use super::descriptors::{Received, receive};
use crate::worker;

/// Forks a worker for each request of the shim's, until that is gone; the value is an exit code.
pub(super) fn serve(control: OwnedFd) -> i32 {
    // Only a name for whoever looks.
    let _ = rustix::thread::set_name(c"opt-shim-helper");
    let control = Cell::new(Some(control));
    loop {
        let Some(socket) = control.take() else {
            return 1;
        };
        let received = receive(&socket);
        control.set(Some(socket));
        match received {
            Ok(Some(received)) => make_worker(&control, received),
            Ok(None) => return 0,
            Err(_) => return 1,
        }
    }
}

/// As the helper of a shim at the other end of standard input.
///
/// # Errors
/// Where that is gone, or was none.
pub fn serve_standard_input() -> Result<()> {
    let control = std::io::stdin().as_fd().try_clone_to_owned()?;
    let null = rustix::fs::open(
        "/dev/null",
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    rustix::stdio::dup2_stdin(&null)?;
    match serve(control) {
        0 => Ok(()),
        _ => bail!("hear from the shim"),
    }
}

/// Where that fails, the shim finds the operation's socket closed.
fn make_worker(control: &Cell<Option<OwnedFd>>, received: Received) {
    let received = Cell::new(Some(received));
    let _ = clone_child(true, || {
        // In the child's own memory. While anybody else had it, the shim couldn't tell that the helper is gone.
        drop(control.take());
        match received.take() {
            Some(received) => worker::run(received.operation, received.descriptors),
            None => 1,
        }
    });
}
