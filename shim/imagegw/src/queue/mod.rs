//! The work that requests wait for: pulls, imports and removals, by so many workers at once.
//!
//! What is to be done is on the disk before it is here ([`crate::state`]); what is here only says who does it when. So a
//! gateway that is killed finds its work again ([`recover`]).

mod complete;
mod examiner;
mod imported;
mod keeper;
mod maker;
mod meta;
mod recover;
mod removal;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transfer;
mod watch;
mod work;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};

pub use keeper::keep;
pub use maker::Maker;
pub use recover::recover;
pub use work::work;

use crate::pull::Credentials;

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    /// The pull or import of this number.
    Pull(u64),
    /// The files of an image: system and identifier.
    Removal(String, String),
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closed: bool,
    /// Images that a worker is making or removing now, by system and identifier.
    held: HashSet<(String, String)>,
}

/// Work that waits, and what is known of what is done now.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// In memory only: a disk shall not have them.
    credentials: Mutex<HashMap<u64, Credentials>>,
    progress: Mutex<HashMap<u64, (u64, Option<u64>)>>,
    cancelled: Mutex<HashSet<u64>>,
}

impl Queue {
    /// Adds a pull, with credentials for its registry.
    pub fn add_pull(&self, number: u64, credentials: Option<Credentials>) {
        if let Some(credentials) = credentials {
            lock(&self.credentials).insert(number, credentials);
        }
        self.add(Job::Pull(number));
    }

    /// Adds the removal of an image.
    pub fn add_removal(&self, system: &str, id: &str) {
        self.add(Job::Removal(system.to_owned(), id.to_owned()));
    }

    fn add(&self, job: Job) {
        lock(&self.waiting).jobs.push_back(job);
        self.changed.notify_all();
    }

    /// The next job, as soon as there is one; none once the queue is closed.
    fn next(&self) -> Option<Job> {
        let mut waiting = lock(&self.waiting);
        loop {
            if waiting.is_closed {
                return None;
            }
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// Lets workers end: what they do now is given up, and what waits waits for the next start.
    pub fn close(&self) {
        lock(&self.waiting).is_closed = true;
        self.changed.notify_all();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        lock(&self.waiting).is_closed
    }

    /// How much waits.
    pub fn length(&self) -> usize {
        lock(&self.waiting).jobs.len()
    }

    /// Has a pull given up as soon as its worker looks.
    pub fn cancel(&self, number: u64) {
        lock(&self.cancelled).insert(number);
    }

    fn is_cancelled(&self, number: u64) -> bool {
        lock(&self.cancelled).contains(&number)
    }

    /// Bytes of a pull's step that are done, and of how many.
    pub fn progress(&self, number: u64) -> Option<(u64, Option<u64>)> {
        lock(&self.progress).get(&number).copied()
    }

    fn set_progress(&self, number: u64, progress: Option<(u64, Option<u64>)>) {
        let mut all = lock(&self.progress);
        match progress {
            Some(progress) => all.insert(number, progress),
            None => all.remove(&number),
        };
    }

    fn credentials(&self, number: u64) -> Option<Credentials> {
        lock(&self.credentials).get(&number).cloned()
    }

    /// A pull is over: nothing more of it is kept.
    fn forget(&self, number: u64) {
        lock(&self.credentials).remove(&number);
        lock(&self.progress).remove(&number);
        lock(&self.cancelled).remove(&number);
    }

    /// Waits until no other worker has to do with this image, and holds it until the guard is dropped.
    fn hold(&self, system: &str, id: &str) -> Held<'_> {
        let key = (system.to_owned(), id.to_owned());
        let mut waiting = lock(&self.waiting);
        while waiting.held.contains(&key) {
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        waiting.held.insert(key.clone());
        Held { queue: self, key }
    }
}

/// An image that is one worker's until this is dropped.
struct Held<'a> {
    queue: &'a Queue,
    key: (String, String),
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        lock(&self.queue.waiting).held.remove(&self.key);
        self.queue.changed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
