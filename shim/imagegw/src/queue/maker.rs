//! Whoever fetches images and makes files of them, as workers see it.

use crate::pull::{Found, Progress, PullError, PullRequest, Pulled};

/// Fetches images and makes files of them.
pub trait Maker: Send + Sync {
    /// What the source says of an image, before anything of it is fetched.
    ///
    /// # Errors
    /// [`PullError`].
    fn find(&self, request: &PullRequest) -> Result<Found, PullError>;

    /// Makes the file.
    ///
    /// # Errors
    /// Likewise; nothing half-made is left.
    fn pull(&self, request: &PullRequest, progress: &dyn Progress) -> Result<Pulled, PullError>;
}
