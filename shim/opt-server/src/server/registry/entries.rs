//! What the registry holds in memory, and what its owners may have of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::Refusal;
use crate::server::execution::{Execution, State};
use crate::server::queue::FairQueue;
use crate::server::settings::Settings;

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) executions: HashMap<String, Entry>,
    pub(super) queue: FairQueue,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) execution: Execution,
    /// Whether the store knows of the last change.
    pub(super) is_stored: bool,
    pub(super) state: watch::Sender<State>,
    pub(super) polls: Arc<Mutex<()>>,
}

impl Entry {
    pub(super) fn new(execution: Execution) -> Self {
        let (state, _) = watch::channel(execution.state);
        Self {
            execution,
            is_stored: true,
            state,
            polls: Arc::default(),
        }
    }

    pub(super) fn set(&mut self, execution: Execution, is_stored: bool) {
        self.execution = execution;
        self.is_stored = is_stored;
        self.state.send_replace(self.execution.state);
    }
}

impl Inner {
    pub(super) fn entry(&self, id: &str) -> Result<&Entry, Refusal> {
        let entry = self.executions.get(id);
        entry.ok_or_else(|| Refusal::Unknown(id.to_owned()))
    }

    /// Whether `owner` may have one more.
    pub(super) fn may_add(&self, owner: &str, settings: &Settings) -> Result<(), Refusal> {
        let owned = |entry: &&Entry| entry.execution.owner == owner;
        let kept = self.executions.values().filter(owned).count();
        if kept >= settings.max_kept_per_key {
            return Err(Refusal::TooMany(format!(
                "this key has {kept} executions already; delete some"
            )));
        }
        Ok(())
    }

    /// Whether one more of `owner`'s may wait.
    pub(super) fn may_queue(&self, owner: &str, settings: &Settings) -> Result<(), Refusal> {
        let waiting = self.queue.len();
        if waiting >= settings.max_queued {
            return Err(Refusal::Full(waiting));
        }
        let own = self.queue.len_of(owner);
        if own >= settings.max_queued_per_key {
            return Err(Refusal::TooMany(format!(
                "{own} executions of this key wait already; try again later"
            )));
        }
        Ok(())
    }
}
