//! What a process has found out about itself.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::sys;

/// What never changes while a process lives; a child finds it out anew.
#[derive(Debug)]
pub(crate) struct Known<T>(Mutex<Option<(u32, T)>>);

impl<T: Copy> Known<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// What this process has found out already.
    pub(crate) fn get(&self) -> Option<T> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.and_then(|(generation, it)| (generation == sys::generation()).then_some(it))
    }

    /// The same, or what `find` finds out now.
    pub(crate) fn get_or(&self, find: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if let Some(it) = self.get() {
            return Ok(it);
        }
        let found = find()?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((sys::generation(), found));
        Ok(found)
    }
}
