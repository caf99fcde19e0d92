//! Signal dispositions.

use std::io;

use nix::sys::signal::{SigHandler, Signal, signal};

/// Gives `number` its default disposition.
///
/// # Errors
/// Those of signal(2).
pub(crate) fn set_default_disposition(number: Signal) -> io::Result<()> {
    // SAFETY: the default disposition runs no code of ours.
    unsafe { signal(number, SigHandler::SigDfl) }?;
    Ok(())
}
