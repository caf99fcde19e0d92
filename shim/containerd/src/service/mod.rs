//! The shim: which containers it has, and the task API over them.

mod api;
mod create;
mod errors;
mod metrics;
mod oom;
mod process;
mod reaper;
mod requests;
mod start;
mod table;
mod wait;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::helper::{Descriptors, Helper};
use crate::publisher::Publisher;
use crate::worker::{Answer, Failure, Operation, Request};

pub use api::answer;
pub use reaper::reap;

use table::Table;

/// The shim of a container, or of all containers of a pod.
#[derive(Debug)]
pub struct Shim {
    namespace: String,
    helper: Helper,
    publisher: Publisher,
    table: Mutex<Table>,
}

/// Where an operation finds its container.
#[derive(Debug, Clone)]
struct Place {
    store: PathBuf,
    id: String,
}

impl Shim {
    /// Without containers yet.
    pub fn new(namespace: String, helper: Helper, publisher: Publisher) -> Self {
        Self {
            namespace,
            helper,
            publisher,
            table: Mutex::default(),
        }
    }

    /// Waits until all events are sent; `patience` at most.
    pub fn flush_events(&self, patience: Duration) {
        self.publisher.flush(patience);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a worker do `operation` on a container.
    fn perform(&self, place: Place, operation: Operation) -> Result<Answer, Failure> {
        self.perform_with(place, operation, Descriptors::default())
    }

    fn perform_with(
        &self,
        place: Place,
        operation: Operation,
        descriptors: Descriptors,
    ) -> Result<Answer, Failure> {
        let request = Request {
            store: place.store,
            id: place.id,
            operation,
        };
        self.helper.call(&request, descriptors)
    }
}
