//! An image that is to be shown somewhere, whoever reads it.

use std::os::fd::AsFd;

use super::check::Checked;
use super::own::{FuseError, Served};
use super::{Held, ImageError};

/// An image, mounted and nowhere yet, as long as this is held.
#[derive(Debug)]
pub enum Shown {
    /// By the kernel.
    Held(Held),
    /// By a program of the user's.
    Served(Served, Checked),
}

/// Why it can't be put where it is wanted. One line.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ShowError {
    Held(#[from] ImageError),
    Served(#[from] FuseError),
}

impl Shown {
    /// Whether it is the file that was made.
    pub fn checked(&self) -> Checked {
        match self {
            Self::Held(held) => held.checked,
            Self::Served(_, checked) => *checked,
        }
    }

    /// Mounts the image on the directory `at` of this mount namespace.
    ///
    /// # Errors
    /// [`ShowError`].
    pub fn attach(&self, at: impl AsFd) -> Result<(), ShowError> {
        match self {
            Self::Held(held) => Ok(held.attach(at)?),
            Self::Served(served, _) => Ok(served.attach(at)?),
        }
    }
}
