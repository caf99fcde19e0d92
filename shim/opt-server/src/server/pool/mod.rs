//! Sandboxes that are ready before anybody asks: for each command as many as its `pool` says, each used once.
//!
//! Each is a process of its own, `opt-server ready`, which ends by itself when this server is gone. The [`keeper`] makes
//! them while nothing waits, one at a time; the scheduler takes one where there is one, and else has the
//! sandbox made as ever. They are made for one state of the configuration, and thrown away with it.

mod bound;
mod hand_over;
mod keeper;
mod orphans;
mod stand_by;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::live::Configuration;
use bound::most;
use stand_by::StandBy;

pub use hand_over::hand_over;
pub use keeper::keep;
pub use orphans::{find, settle};

/// How long after one could not be made the next one is tried, at the earliest.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// The sandboxes that are ready.
#[derive(Debug, Default)]
pub struct Pool {
    inner: Mutex<Inner>,
    /// Told whenever the keeper could have something to do.
    work: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    ready: Vec<StandBy>,
    /// Commands of which one could not be made with this configuration, and when.
    failed: HashMap<String, Instant>,
    failed_for: Option<Arc<Configuration>>,
    is_closed: bool,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Has the keeper look whether there is something to do.
    pub fn wake(&self) {
        self.work.notify_one();
    }

    /// Takes one for `command` that was made for the configuration `now`. It is nobody else's from here on.
    fn take(&self, command: &str, now: &Arc<Configuration>) -> Option<StandBy> {
        let mut inner = self.lock();
        let place = inner
            .ready
            .iter()
            .position(|one| one.command == command && Arc::ptr_eq(&one.made_for, now))?;
        Some(inner.ready.remove(place))
    }

    /// Takes the one of the process `pid`, if it is still there.
    fn take_process(&self, pid: i32) -> Option<StandBy> {
        let mut inner = self.lock();
        let place = inner.ready.iter().position(|one| one.process.pid == pid)?;
        Some(inner.ready.remove(place))
    }

    /// Puts one in. Gives it back where there is no use for it any more.
    fn put(&self, stand_by: StandBy) -> Result<(), StandBy> {
        let mut inner = self.lock();
        if inner.is_closed {
            return Err(stand_by);
        }
        inner.ready.push(stand_by);
        Ok(())
    }

    /// Takes out those that were made for another configuration than `now`, and forgets what failed with it.
    fn take_old(&self, now: &Arc<Configuration>) -> Vec<StandBy> {
        let mut inner = self.lock();
        let all = std::mem::take(&mut inner.ready);
        let (kept, old) = all
            .into_iter()
            .partition(|one| Arc::ptr_eq(&one.made_for, now));
        inner.ready = kept;
        if inner
            .failed_for
            .as_ref()
            .is_none_or(|then| !Arc::ptr_eq(then, now))
        {
            inner.failed.clear();
            inner.failed_for = Some(Arc::clone(now));
        }
        old
    }

    /// Takes no more in, and gives what there is.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        // Each sees its socket closed and ends; nobody waits for that.
        inner.ready.clear();
    }

    /// How many are ready.
    pub fn ready(&self) -> usize {
        self.lock().ready.len()
    }

    /// The command of which the next one is to be made: the one that has the fewest.
    fn lacking(&self, now: &Configuration) -> Option<String> {
        let inner = self.lock();
        if inner.is_closed || inner.ready.len() >= most(now) {
            return None;
        }
        let has_failed = |name: &str| {
            let failed = inner.failed.get(name);
            failed.is_some_and(|when| when.elapsed() < AFTER_FAILURE)
        };
        let has = |name: &str| inner.ready.iter().filter(|one| one.command == name).count();
        let commands = now.config.commands.iter().map(|command| {
            let wanted = usize::try_from(command.extensions.pool).unwrap_or(usize::MAX);
            (&command.name, has(&command.name), wanted)
        });
        commands
            .filter(|(name, has, wanted)| has < wanted && !has_failed(name))
            .min_by_key(|(_, has, _)| *has)
            .map(|(name, _, _)| name.clone())
    }
}
