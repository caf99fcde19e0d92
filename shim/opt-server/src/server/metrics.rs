//! Counters for Prometheus, in its text format.

use std::fmt;
use std::sync::Mutex;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::execution::State;

/// How a request was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answer {
    /// The route's pattern, never the path: ids in there would make endless series.
    pub route: String,
    /// The method.
    pub method: String,
    /// The status code.
    pub status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    state: StateLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfGroup {
    user_group: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct StateLabel(State);

impl EncodeLabelValue for StateLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.as_str().encode(encoder)
    }
}

/// A metric that the registry has too.
fn registered<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// Every counter.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Answer, Counter>,
    seconds: Histogram,
    ended: Family<Ended, Counter>,
    queued: Gauge,
    running: Gauge,
    groups: Family<OfGroup, Gauge>,
    /// Connections that are open.
    pub connections: Gauge,
    /// Connections that were turned away because there were too many.
    pub refused_connections: Counter,
    free: Gauge,
    /// Sandboxes that are ready.
    pub pool_ready: Gauge,
    /// Executions that were given to one.
    pub pool_used: Counter,
    /// Executions of commands with a pool for which none was ready.
    pub pool_missed: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("opt_server");
        let seconds = Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0]);
        let mut gauge = |name, help| registered(&mut registry, name, help, Gauge::default());
        let queued = gauge("executions_queued", "Executions that wait");
        let running = gauge("executions_running", "Executions that run");
        let pool_ready = gauge("pool_ready", "Sandboxes that are ready for an execution");
        let connections = gauge("connections", "Open connections");
        let free = gauge(
            "state_free_bytes",
            "Free space of the state directory's file system",
        );
        let registry = &mut registry;
        Self {
            requests: registered(
                registry,
                "requests",
                "Requests by route and status",
                Family::default(),
            ),
            seconds: registered(
                registry,
                "request_seconds",
                "Time until a request's answer began",
                seconds,
            ),
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
            refused_connections: registered(
                registry,
                "refused_connections",
                "Connections turned away because there were too many",
                Counter::default(),
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
            connections,
            free,
            registry: Mutex::new(std::mem::take(registry)),
        }
    }

    /// Counts an answer, which took `seconds` to begin.
    pub fn answered(&self, answer: &Answer, seconds: f64) {
        self.requests.get_or_create(answer).inc();
        self.seconds.observe(seconds);
    }

    /// Counts an execution that ended.
    pub fn ended(&self, state: State) {
        let label = Ended {
            state: StateLabel(state),
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
        let registry = self
            .registry
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut text = String::new();
        // Writing to a string doesn't fail.
        let _ = encode(&mut text, &registry);
        text
    }
}
