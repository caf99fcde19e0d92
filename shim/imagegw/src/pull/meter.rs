//! Progress, told a few times a second.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::request::Progress;

const EVERY: Duration = Duration::from_millis(200);

/// A step's progress.
pub(super) struct Meter<'a> {
    progress: &'a dyn Progress,
    /// What is done of it already.
    before: u64,
    total: Option<u64>,
    told: Cell<Option<Instant>>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(progress: &'a dyn Progress, before: u64, total: Option<u64>) -> Self {
        Self {
            progress,
            before,
            total,
            told: Cell::new(None),
        }
    }

    /// So many more bytes are done; whether to go on.
    pub(super) fn goes_on(&self, bytes: u64) -> bool {
        if self.told.get().is_some_and(|told| told.elapsed() < EVERY) {
            return true;
        }
        self.told.set(Some(Instant::now()));
        self.progress
            .bytes(self.before.saturating_add(bytes), self.total);
        !self.progress.should_stop()
    }
}
