//! What a container uses, as its cgroup counts it.

mod counters;
mod files;
mod form;
mod v1;
mod v2;

use super::super::{Error, Result};
use super::placement::Placement;

pub(in crate::container) use counters::Counters;
pub(super) use files::{named, number};
pub use form::Stats;

impl Placement {
    /// What the processes in it use now. A controller that this host hasn't counts nothing.
    ///
    /// # Errors
    /// Where there is no cgroup to count, or a file of it can't be read.
    pub(in crate::container) fn stats(&self) -> Result<Stats> {
        if self.places().is_empty() {
            return Err(Error::unsupported(
                "counting what the container uses",
                "it has no cgroup of its own",
            ));
        }
        match self.unified().filter(|_| self.is_unified()) {
            Some(place) => v2::stats(&place.directory),
            None => v1::stats(self),
        }
    }
}
