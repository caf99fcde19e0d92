//! A pull that is being done, as its requester sees it: its state on the disk, its bytes in memory.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::examiner::examine;
use crate::gateway::Gateway;
use crate::pull::{Progress, Step};
use crate::state::{Status, now};

/// That a worker is alive is written this often.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Writes down how a pull goes.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    gateway: &'a Gateway,
    number: u64,
    is_import: bool,
    /// The image's identifier, as soon as it is known.
    id: String,
    began: Instant,
    beat: Mutex<Instant>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(gateway: &'a Gateway, number: u64, is_import: bool) -> Self {
        Self {
            gateway,
            number,
            is_import,
            id: String::new(),
            began: Instant::now(),
            beat: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn is_of(&mut self, id: &str) {
        id.clone_into(&mut self.id);
    }

    /// Writes a state. Where the disk doesn't take it, the pull fails at its end, not here.
    pub(super) fn status(&self, status: Status) {
        self.gateway.queue.set_progress(self.number, None);
        let written = self.gateway.state.change_pull(self.number, |pull| {
            pull.status = status;
            pull.last_heartbeat = Some(now());
        });
        if let Err(error) = written {
            tracing::error!(pull = self.number, error = %runtime::telling::line(&error), "can't write a state");
        }
    }

    fn beat(&self) {
        let mut last = super::lock(&self.beat);
        if last.elapsed() < HEARTBEAT {
            return;
        }
        *last = Instant::now();
        // One that is missed is followed by others.
        let _ = self
            .gateway
            .state
            .change_pull(self.number, |pull| pull.last_heartbeat = Some(now()));
    }

    /// Why it has to stop, if it has.
    pub(super) fn stop(&self) -> Option<Stop> {
        let queue = &self.gateway.queue;
        if queue.is_closed() {
            return Some(Stop::Ending);
        }
        if queue.is_cancelled(self.number) {
            return Some(Stop::Cancelled);
        }
        let most = self.gateway.configuration.limits.pull_time;
        (self.began.elapsed() > most).then_some(Stop::TooLong)
    }
}

/// Why a pull stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The gateway ends; the next one does it.
    Ending,
    /// Somebody gave it up.
    Cancelled,
    /// It took longer than the site wants.
    TooLong,
}

impl Progress for Watch<'_> {
    fn step(&self, step: Step) {
        self.status(match step {
            Step::Pulling if self.is_import => Status::Hashing,
            Step::Pulling => Status::Pulling,
            Step::Examination => Status::Examination,
            Step::Conversion => Status::Conversion,
        });
    }

    fn bytes(&self, done: u64, total: Option<u64>) {
        let progress = Some((done, total));
        self.gateway.queue.set_progress(self.number, progress);
        self.beat();
    }

    fn examine(&self, tree: &Path) -> Result<(), String> {
        match &self.gateway.configuration.examiner {
            Some(program) => examine(program, tree, &self.id, &|| self.should_stop()),
            None => Ok(()),
        }
    }

    fn examines(&self) -> bool {
        self.gateway.configuration.examiner.is_some()
    }

    fn should_stop(&self) -> bool {
        self.stop().is_some()
    }
}
