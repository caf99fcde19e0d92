//! Counters for Prometheus, in its text format.

use daemon::metrics::registered;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::execution::State;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfGroup {
    user_group: String,
}

/// Every counter.
#[derive(Debug)]
pub struct Metrics {
    /// Those of every server.
    pub common: daemon::metrics::Metrics,
    ended: Family<Ended, Counter>,
    queued: Gauge,
    running: Gauge,
    groups: Family<OfGroup, Gauge>,
    free: Gauge,
    /// Sandboxes that are ready.
    pub pool_ready: Gauge,
    /// Executions that were given to one.
    pub pool_used: Counter,
    /// Executions of commands with a pool for which none was ready.
    pub pool_missed: Counter,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("opt_server");
        let mut gauge = |name, help| registered(&mut registry, name, help, Gauge::default());
        let queued = gauge("executions_queued", "Executions that wait");
        let running = gauge("executions_running", "Executions that run");
        let pool_ready = gauge("pool_ready", "Sandboxes that are ready for an execution");
        let free = gauge(
            "state_free_bytes",
            "Free space of the state directory's file system",
        );
        let registry = &mut registry;
        Self {
            ended: registered(
                registry,
                "executions_ended",
                "Executions that ended, by how",
                Family::default(),
            ),
            groups: registered(
                registry,
                "user_group_executions_running",
                "Executions of a user group's members that run",
                Family::default(),
            ),
            pool_used: registered(
                registry,
                "pool_used",
                "Executions that were given to a ready sandbox",
                Counter::default(),
            ),
            pool_missed: registered(
                registry,
                "pool_missed",
                "Executions of commands with a pool for which no sandbox was ready",
                Counter::default(),
            ),
            queued,
            running,
            pool_ready,
            free,
            common: daemon::metrics::Metrics::new(std::mem::take(registry)),
        }
    }

    /// Counts an execution that ended.
    pub fn ended(&self, state: State) {
        let label = Ended {
            state: state.as_str().to_owned(),
        };
        self.ended.get_or_create(&label).inc();
    }

    /// All of it as text. `load` is how many executions wait and run, `groups` how many of each user group's
    /// run, `free` the bytes that are.
    pub fn text(&self, load: (usize, usize), groups: &[(&str, usize)], free: u64) -> String {
        let signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.queued.set(signed(load.0));
        self.running.set(signed(load.1));
        // Those of a configuration that is no more go.
        self.groups.clear();
        for (name, running) in groups {
            let label = OfGroup {
                user_group: (*name).to_owned(),
            };
            self.groups.get_or_create(&label).set(signed(*running));
        }
        self.free.set(i64::try_from(free).unwrap_or(i64::MAX));
        self.common.text()
    }
}
