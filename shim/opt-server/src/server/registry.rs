//! The executions in memory, each change written to the store before it is seen.

mod entries;
mod refusal;

use std::sync::{Arc, Mutex, MutexGuard};

use runtime::container::ProcessId;
use tokio::sync::{Notify, watch};

use self::entries::{Entry, Inner};
use super::execution::{Execution, State, now};
use super::keys::KeyFile;
use super::parallel::{Parallel, Reached};
use super::queue::{FairQueue, Job};
use super::settings::Settings;
use super::store::{Store, StoreError};

pub use refusal::Refusal;

/// All executions, and the queue of those that wait.
#[derive(Debug)]
pub struct Registry {
    store: Store,
    /// Held over each change, from the first look to the last: what was looked at holds until then. Who only
    /// looks waits for no disk.
    writes: Mutex<()>,
    /// Never held over what takes long. Taken after `writes`.
    inner: Mutex<Inner>,
    /// Told whenever the scheduler could have something to do.
    pub work: Notify,
}

/// That a change is being made, and no other.
type Writing<'a> = MutexGuard<'a, ()>;

impl Registry {
    /// One with these executions in it, which the store has already.
    pub fn new(store: Store, executions: Vec<Execution>) -> Self {
        let entries = executions
            .into_iter()
            .map(|execution| (execution.id.clone(), Entry::new(execution)))
            .collect();
        Self {
            store,
            writes: Mutex::new(()),
            inner: Mutex::new(Inner {
                executions: entries,
                queue: FairQueue::default(),
            }),
            work: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> Writing<'_> {
        self.writes
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

    /// To be held while a poll of the execution reads and moves its cursor, so that no two bring the same piece.
    pub fn polls(&self, id: &str) -> Arc<Mutex<()>> {
        let inner = self.lock();
        let entry = inner.executions.get(id);
        entry.map(|entry| entry.polls.clone()).unwrap_or_default()
    }

    /// How many wait, and how many run.
    pub fn load(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.queue.len(), inner.queue.running().len())
    }

    /// Those that run.
    pub fn running(&self) -> Vec<Job> {
        self.lock().queue.running().to_vec()
    }

    /// The limit that a queued execution has to wait for, if there is one.
    pub fn waits_for(
        &self,
        execution: &Execution,
        parallel: &Parallel,
        keys: &KeyFile,
    ) -> Option<Reached> {
        let running = self.running();
        parallel.reached(&execution.job(), &running, keys)
    }

    /// Whether `owner` may have one more execution, and queue it, as it stands: that is asked again then.
    ///
    /// # Errors
    /// What is in its way.
    pub fn may_run(&self, owner: &str, settings: &Settings) -> Result<(), Refusal> {
        let inner = self.lock();
        inner.may_add(owner, settings)?;
        inner.may_queue(owner, settings)
    }

    /// Takes a new execution.
    ///
    /// # Errors
    /// Where its owner has too many, or the disk is full.
    pub fn add(&self, execution: Execution, settings: &Settings) -> Result<(), Refusal> {
        let _writing = self.write();
        self.lock().may_add(&execution.owner, settings)?;
        self.store.put(&execution)?;
        self.lock()
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
        self.change_with(&self.write(), id, change, |_, _| {})
    }

    /// Likewise, and the queue in the same moment.
    fn change_with<T>(
        &self,
        _writing: &Writing<'_>,
        id: &str,
        change: impl FnOnce(&mut Execution) -> Result<T, Refusal>,
        queue: impl FnOnce(&mut FairQueue, &Execution),
    ) -> Result<T, Refusal> {
        let mut changed = self.lock().entry(id)?.execution.clone();
        let value = change(&mut changed)?;
        self.store.put(&changed)?;
        self.set(changed, true, queue);
        Ok(value)
    }

    /// Changes an execution whose process has changed already, and the queue in the same moment: where the
    /// disk is full, the store learns of it later ([`Self::store_again`]).
    fn record(
        &self,
        _writing: &Writing<'_>,
        id: &str,
        change: impl FnOnce(&mut Execution),
        queue: impl FnOnce(&mut FairQueue, &Execution),
    ) -> Option<Execution> {
        let mut changed = self.lock().entry(id).ok()?.execution.clone();
        change(&mut changed);
        let is_stored = self.store.put(&changed).is_ok();
        self.set(changed.clone(), is_stored, queue);
        Some(changed)
    }

    fn set(
        &self,
        execution: Execution,
        is_stored: bool,
        change_queue: impl FnOnce(&mut FairQueue, &Execution),
    ) {
        let mut inner = self.lock();
        let Inner { executions, queue } = &mut *inner;
        change_queue(queue, &execution);
        if let Some(entry) = executions.get_mut(&execution.id) {
            entry.set(execution, is_stored);
        }
    }

    /// Writes what a full disk did not take.
    ///
    /// # Errors
    /// Where it still doesn't.
    pub fn store_again(&self) -> Result<(), StoreError> {
        let _writing = self.write();
        let unstored: Vec<Execution> = {
            let inner = self.lock();
            let entries = inner.executions.values();
            let unstored = entries.filter(|entry| !entry.is_stored);
            unstored.map(|entry| entry.execution.clone()).collect()
        };
        for execution in unstored {
            self.store.put(&execution)?;
            if let Some(entry) = self.lock().executions.get_mut(&execution.id) {
                entry.is_stored = true;
            }
        }
        Ok(())
    }

    /// Puts an execution into the queue.
    ///
    /// # Errors
    /// Where it isn't just created, or the queue is full.
    pub fn enqueue(&self, id: &str, settings: &Settings) -> Result<(), Refusal> {
        let writing = self.write();
        {
            let inner = self.lock();
            inner.may_queue(&inner.entry(id)?.execution.owner, settings)?;
        }
        let change = |execution: &mut Execution| {
            if execution.state != State::Created {
                return Err(Refusal::WrongState {
                    state: execution.state,
                    wanted: "it can be started once",
                });
            }
            execution.state = State::Queued;
            execution.queued = Some(now());
            Ok(())
        };
        self.change_with(&writing, id, change, |queue, execution| {
            queue.push(execution.job());
        })?;
        self.work.notify_one();
        Ok(())
    }

    /// Counts an execution as running that a server before this one began.
    pub fn adopt(&self, execution: &Execution) {
        self.lock().queue.begin(execution.job());
    }

    /// Likewise, and remembers which process runs it.
    pub fn took_up(&self, id: &str, process: ProcessId) {
        let change = |execution: &mut Execution| {
            execution.state = State::Running;
            execution.process = Some(process);
        };
        self.record(&self.write(), id, change, |queue, execution| {
            queue.begin(execution.job());
        });
    }

    /// Puts an execution back into the queue that a server before this one didn't come to start.
    pub fn wait_again(&self, id: &str) {
        let change = |execution: &mut Execution| {
            execution.state = State::Queued;
            execution.started = None;
        };
        self.record(&self.write(), id, change, |queue, execution| {
            queue.push(execution.job());
        });
        self.work.notify_one();
    }

    /// Takes the next execution whose turn it is, if one more may run, and has it `Running` in `boot`.
    pub fn next(&self, parallel: &Parallel, keys: &KeyFile, boot: &str) -> Option<Execution> {
        let writing = self.write();
        let may = |job: &Job, running: &[Job]| parallel.reached(job, running, keys).is_none();
        let id = loop {
            let mut inner = self.lock();
            let id = inner.queue.pop(may)?.id;
            let entry = inner.entry(&id);
            if entry.is_ok_and(|entry| entry.execution.state == State::Queued) {
                break id;
            }
            // It counts as running since it was popped, and nothing of it ever ends.
            inner.queue.end(&id);
        };
        let change = |execution: &mut Execution| {
            execution.state = State::Running;
            execution.started = Some(now());
            boot.clone_into(&mut execution.boot);
        };
        self.record(&writing, &id, change, |_, _| {})
    }

    /// Remembers which process runs an execution; whether it was asked to end before it had one.
    pub fn began(&self, id: &str, process: ProcessId) -> bool {
        let change = |execution: &mut Execution| execution.process = Some(process);
        let begun = self.record(&self.write(), id, change, |_, _| {});
        begun.is_some_and(|execution| execution.is_stopping)
    }

    /// Ends an execution that counted as running.
    pub fn ended(&self, id: &str, end: impl FnOnce(&mut Execution)) {
        let change = |execution: &mut Execution| {
            end(execution);
            execution.process = None;
            execution.ended = Some(now());
        };
        self.record(&self.write(), id, change, |queue, execution| {
            queue.end(&execution.id);
        });
        self.work.notify_one();
    }

    /// Asks an execution to end. One that waits ends at once; one that runs is for the caller to signal.
    ///
    /// # Errors
    /// Where the disk is full.
    pub fn stop(&self, id: &str) -> Result<Execution, Refusal> {
        let change = |execution: &mut Execution| {
            match execution.state {
                State::Created | State::Queued => {
                    execution.state = State::Stopped;
                    execution.ended = Some(now());
                }
                State::Running => execution.is_stopping = true,
                State::Ended | State::Stopped | State::Lost => {}
            }
            Ok(execution.clone())
        };
        self.change_with(&self.write(), id, change, |queue, execution| {
            queue.remove(&execution.owner, &execution.id);
        })
    }

    /// Gives an execution up that was never started, if it `is_due` still; whether it was. Nobody starts it
    /// then while its files go.
    pub fn expire(&self, id: &str, is_due: impl FnOnce(&Execution) -> bool) -> bool {
        let writing = self.write();
        let due =
            |entry: &Entry| entry.execution.state == State::Created && is_due(&entry.execution);
        if !self.lock().entry(id).is_ok_and(due) {
            return false;
        }
        let change = |execution: &mut Execution| {
            execution.state = State::Stopped;
            execution.ended = Some(now());
            execution.is_deleted = true;
        };
        // A full disk is no reason to keep it: that it goes makes room.
        self.record(&writing, id, change, |_, _| {});
        true
    }

    /// Forgets an execution for good.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn remove(&self, id: &str) -> Result<(), Refusal> {
        let _writing = self.write();
        self.store.remove(id)?;
        self.lock().executions.remove(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
