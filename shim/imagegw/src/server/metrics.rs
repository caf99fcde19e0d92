//! Counters for Prometheus, in its text format.

use std::fmt;
use std::sync::Mutex;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::state::Status;

/// How a request was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answered {
    /// The route's pattern, never the path: tags in there would make endless series.
    pub route: String,
    /// The method.
    pub method: String,
    /// The status code.
    pub status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    status: String,
}

/// Every counter.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Answered, Counter>,
    seconds: Histogram,
    ended: Family<Ended, Counter>,
    waiting: Gauge,
    images: Gauge,
    bytes: Gauge,
    /// Connections that are open.
    pub connections: Gauge,
    /// Connections that were turned away because there were too many.
    pub refused_connections: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

fn with<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("shifter_imagegw");
        let all = &mut registry;
        let buckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0];
        let none = Gauge::default;
        Self {
            requests: with(
                all,
                "requests",
                "Requests by route and status",
                Family::default(),
            ),
            seconds: with(
                all,
                "request_seconds",
                "Time until a request's answer",
                Histogram::new(buckets),
            ),
            ended: with(
                all,
                "pulls_ended",
                "Pulls, imports and removals that ended, by how",
                Family::default(),
            ),
            waiting: with(
                all,
                "pulls_waiting",
                "Pulls and removals that no worker has begun",
                none(),
            ),
            images: with(all, "images", "Images that are ready", none()),
            bytes: with(
                all,
                "image_bytes",
                "Bytes of the files of images that are ready",
                none(),
            ),
            connections: with(all, "connections", "Open connections", none()),
            refused_connections: with(
                all,
                "refused_connections",
                "Connections turned away because there were too many",
                Counter::default(),
            ),
            registry: Mutex::new(registry),
        }
    }
}

impl Metrics {
    /// Counts an answer, which took `seconds`.
    pub fn answered(&self, answer: &Answered, seconds: f64) {
        self.requests.get_or_create(answer).inc();
        self.seconds.observe(seconds);
    }

    /// Counts a pull, an import or a removal that ended so.
    pub fn ended(&self, status: Status) {
        let label = Ended {
            status: status.as_str().to_owned(),
        };
        self.ended.get_or_create(&label).inc();
    }

    /// All of it as text: `waiting` jobs wait, and so many images hold so many bytes.
    pub fn text(&self, waiting: usize, images: usize, bytes: u64) -> String {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.images.set(i64::try_from(images).unwrap_or(i64::MAX));
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
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
