//! `opt-server --start`: functions and command lines over HTTPS, each executed by an `opt-server run` of its
//! own, so that nothing that happens to this process ends what runs.
//!
//! A request becomes an [`execution::Execution`] in the [`registry`], waits in the [`queue`], is started by the
//! [`scheduler`] and watched to its end; clients poll it, fetch what it made and delete it. Everything about it
//! lies in the state directory ([`state`]), where the next server finds it again ([`recover`]).

mod archive;
mod execution;
mod functions;
mod http;
pub mod keys;
mod launch;
mod live;
mod metrics;
mod output_log;
mod parallel;
mod pool;
mod project;
mod queue;
mod recover;
mod registry;
mod retention;
mod sandbox_info;
mod scheduler;
mod settings;
mod start;
mod state;
mod store;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use daemon::{Connections, Limits};
use execution::Place;
use keys::KeyFile;
use live::Live;
use metrics::Metrics;
use pool::Pool;
use registry::Registry;
use state::StateDirectory;

pub use functions::Name;
pub use http::router;
pub use start::{Options, assemble, start};
pub use state::{DEFAULT as DEFAULT_STATE, make as make_state};

/// What every part of the server works on.
#[derive(Debug)]
pub struct App {
    /// The configuration that holds now.
    pub live: Live,
    /// Who may call.
    pub keys: KeyFile,
    /// Every execution.
    pub registry: Arc<Registry>,
    /// Sandboxes that are ready.
    pub pool: Pool,
    /// Where everything lies.
    pub state: StateDirectory,
    /// The runtime's state directory, where it isn't its default.
    pub root: Option<PathBuf>,
    /// Whether sandboxes are explained on standard error.
    pub tells_sandbox_info: bool,
    /// Counters.
    pub metrics: Metrics,
    /// This boot of the machine.
    pub boot: String,
    /// Whether the server is about to end: nothing new is begun.
    pub is_draining: AtomicBool,
}

impl Connections for App {
    fn limits(&self) -> Limits {
        let settings = &self.live.now().settings;
        Limits {
            connections: settings.max_connections,
            of_an_address: settings.max_connections_per_address,
            idle: settings.idle(),
        }
    }

    fn opened(&self) {
        self.metrics.common.connections.inc();
    }

    fn closed(&self) {
        self.metrics.common.connections.dec();
    }

    fn refused(&self) {
        self.metrics.common.refused_connections.inc();
    }
}

impl App {
    /// The files of an execution.
    pub fn place(&self, id: &str) -> Place {
        Place::of(&self.state.executions(), id)
    }
}
