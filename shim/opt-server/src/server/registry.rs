//! The executions in memory, each change written to the store before it is seen.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use runtime::container::ProcessId;
use tokio::sync::{Notify, watch};

use super::execution::{Execution, State, now};
use super::keys::KeyFile;
use super::queue::FairQueue;
use super::settings::Settings;
use super::store::{Store, StoreError};

/// Why an execution can't be taken or changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is none, or it is somebody else's: both look the same.
    #[error("there is no execution {0:?}")]
    Unknown(String),
    /// It is past that.
    #[error("the execution is {}: {wanted}", state.as_str())]
    WrongState {
        /// Where it stands.
        state: State,
        /// What would be right.
        wanted: &'static str,
    },
    /// The caller's own limit.
    #[error("{0}")]
    TooMany(String),
    /// The server's limit.
    #[error("the queue is full: {0} executions wait; try again later")]
    Full(usize),
    /// The disk, with the record.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk, with a file.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

/// All executions, and the queue of those that wait.
#[derive(Debug)]
pub struct Registry {
    store: Store,
    inner: Mutex<Inner>,
    polls: Mutex<()>,
    /// Told whenever the scheduler could have something to do.
    pub work: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    executions: HashMap<String, Entry>,
    queue: FairQueue,
}

#[derive(Debug)]
struct Entry {
    execution: Execution,
    /// Whether the store knows of the last change.
    is_stored: bool,
    state: watch::Sender<State>,
}

impl Entry {
    fn new(execution: Execution) -> Self {
        let (state, _) = watch::channel(execution.state);
        Self {
            execution,
            is_stored: true,
            state,
        }
    }
}

impl Registry {
    /// One with these executions in it, which the store has already.
    pub fn new(store: Store, executions: Vec<Execution>) -> Self {
        let entries = executions
            .into_iter()
            .map(|execution| (execution.id.clone(), Entry::new(execution)))
            .collect();
        Self {
            store,
            inner: Mutex::new(Inner {
                executions: entries,
                queue: FairQueue::default(),
            }),
            polls: Mutex::new(()),
            work: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The execution `id`, unless its owner has forgotten it.
    pub fn get(&self, id: &str) -> Option<Execution> {
        let inner = self.lock();
        let entry = inner.executions.get(id)?;
        (!entry.execution.is_deleted).then(|| entry.execution.clone())
    }

    /// Every execution, forgotten ones included.
    pub fn all(&self) -> Vec<Execution> {
        let inner = self.lock();
        inner
            .executions
            .values()
            .map(|entry| entry.execution.clone())
            .collect()
    }

    /// Where the execution stands, as it changes.
    pub fn watch(&self, id: &str) -> Option<watch::Receiver<State>> {
        Some(self.lock().executions.get(id)?.state.subscribe())
    }

    /// Its place in the queue, from 1.
    pub fn position(&self, execution: &Execution) -> Option<usize> {
        self.lock().queue.position(&execution.owner, &execution.id)
    }

    /// Held while a poll reads and moves its cursor, so that no two bring the same piece.
    pub fn polling(&self) -> MutexGuard<'_, ()> {
        self.polls
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// How many wait, and how many run.
    pub fn load(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.queue.len(), inner.queue.running())
    }

    /// Takes a new execution.
    ///
    /// # Errors
    /// Where its owner has too many, or the disk is full.
    pub fn add(&self, execution: Execution, settings: &Settings) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let owned = |entry: &&Entry| entry.execution.owner == execution.owner;
        let kept = inner.executions.values().filter(owned).count();
        if kept >= settings.max_kept_per_key {
            return Err(Refusal::TooMany(format!(
                "this key has {kept} executions already; delete some"
            )));
        }
        self.store.put(&execution)?;
        inner
            .executions
            .insert(execution.id.clone(), Entry::new(execution));
        Ok(())
    }

    /// Changes an execution: first in the store, and if that fails, not at all.
    ///
    /// # Errors
    /// Where `change` refuses, or the disk does.
    pub fn change<T>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Execution) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut inner = self.lock();
        let entry = inner
            .executions
            .get_mut(id)
            .ok_or_else(|| Refusal::Unknown(id.to_owned()))?;
        let mut changed = entry.execution.clone();
        let value = change(&mut changed)?;
        self.store.put(&changed)?;
        entry.execution = changed;
        entry.is_stored = true;
        entry.state.send_replace(entry.execution.state);
        Ok(value)
    }

    /// Changes an execution whose process has changed already: where the disk is full, the store learns of
    /// it later ([`Self::store_again`]).
    fn record(&self, inner: &mut Inner, id: &str, change: impl FnOnce(&mut Execution)) {
        let Some(entry) = inner.executions.get_mut(id) else {
            return;
        };
        change(&mut entry.execution);
        entry.is_stored = self.store.put(&entry.execution).is_ok();
        entry.state.send_replace(entry.execution.state);
    }

    /// Writes what a full disk did not take.
    ///
    /// # Errors
    /// Where it still doesn't.
    pub fn store_again(&self) -> Result<(), StoreError> {
        let mut inner = self.lock();
        for entry in inner
            .executions
            .values_mut()
            .filter(|entry| !entry.is_stored)
        {
            self.store.put(&entry.execution)?;
            entry.is_stored = true;
        }
        Ok(())
    }

    /// Puts an execution into the queue.
    ///
    /// # Errors
    /// Where it isn't just created, or the queue is full.
    pub fn enqueue(&self, id: &str, settings: &Settings) -> Result<(), Refusal> {
        {
            let inner = self.lock();
            let entry = inner.executions.get(id);
            let entry = entry.ok_or_else(|| Refusal::Unknown(id.to_owned()))?;
            let waiting = inner.queue.len();
            if waiting >= settings.max_queued {
                return Err(Refusal::Full(waiting));
            }
            let own = inner.queue.len_of(&entry.execution.owner);
            if own >= settings.max_queued_per_key {
                return Err(Refusal::TooMany(format!(
                    "{own} executions of this key wait already; try again later"
                )));
            }
        }
        let owner = self.change(id, |execution| {
            if execution.state != State::Created {
                return Err(Refusal::WrongState {
                    state: execution.state,
                    wanted: "it can be started once",
                });
            }
            execution.state = State::Queued;
            execution.queued = Some(now());
            Ok(execution.owner.clone())
        })?;
        self.requeue(&owner, id);
        Ok(())
    }

    fn requeue(&self, owner: &str, id: &str) {
        self.lock().queue.push(owner, id);
        self.work.notify_one();
    }

    /// Counts an execution of `owner`'s as running that a server before this one began.
    pub fn adopt(&self, owner: &str) {
        self.lock().queue.begin(owner);
    }

    /// Likewise, and remembers which process runs it.
    pub fn took_up(&self, id: &str, process: ProcessId) {
        let mut inner = self.lock();
        self.record(&mut inner, id, |execution| {
            execution.state = State::Running;
            execution.process = Some(process);
        });
        let owner = inner
            .executions
            .get(id)
            .map(|entry| entry.execution.owner.clone());
        if let Some(owner) = owner {
            inner.queue.begin(&owner);
        }
    }

    /// Puts an execution back into the queue that a server before this one didn't come to start.
    pub fn wait_again(&self, execution: &Execution) {
        let mut inner = self.lock();
        self.record(&mut inner, &execution.id, |execution| {
            execution.state = State::Queued;
            execution.started = None;
        });
        drop(inner);
        self.requeue(&execution.owner, &execution.id);
    }

    /// Takes the next execution whose turn it is, if one more may run, and has it `Running` in `boot`.
    pub fn next(&self, max_running: usize, keys: &KeyFile, boot: &str) -> Option<Execution> {
        let mut inner = self.lock();
        if inner.queue.running() >= max_running {
            return None;
        }
        let id = inner.queue.pop(|owner| keys.most_parallel(owner))?;
        self.record(&mut inner, &id, |execution| {
            execution.state = State::Running;
            execution.started = Some(now());
            execution.boot = boot.to_owned();
        });
        Some(inner.executions.get(&id)?.execution.clone())
    }

    /// Remembers which process runs an execution; whether it was asked to end before it had one.
    pub fn began(&self, id: &str, process: ProcessId) -> bool {
        let mut inner = self.lock();
        self.record(&mut inner, id, |execution| {
            execution.process = Some(process);
        });
        let entry = inner.executions.get(id);
        entry.is_some_and(|entry| entry.execution.is_stopping)
    }

    /// Ends an execution that counted as running.
    pub fn ended(&self, id: &str, end: impl FnOnce(&mut Execution)) {
        let mut inner = self.lock();
        self.record(&mut inner, id, |execution| {
            end(execution);
            execution.process = None;
            execution.ended = Some(now());
        });
        let owner = inner
            .executions
            .get(id)
            .map(|entry| entry.execution.owner.clone());
        if let Some(owner) = owner {
            inner.queue.end(&owner);
        }
        drop(inner);
        self.work.notify_one();
    }

    /// Asks an execution to end. One that waits ends at once; one that runs is for the caller to signal.
    ///
    /// # Errors
    /// Where the disk is full.
    pub fn stop(&self, id: &str) -> Result<Execution, Refusal> {
        let stopped = self.change(id, |execution| {
            match execution.state {
                State::Created | State::Queued => {
                    execution.state = State::Stopped;
                    execution.ended = Some(now());
                }
                State::Running => execution.is_stopping = true,
                State::Ended | State::Stopped | State::Lost => {}
            }
            Ok(execution.clone())
        })?;
        self.lock().queue.remove(&stopped.owner, id);
        Ok(stopped)
    }

    /// Forgets an execution for good.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn remove(&self, id: &str) -> Result<(), Refusal> {
        let mut inner = self.lock();
        self.store.remove(id)?;
        inner.executions.remove(id);
        Ok(())
    }
}
