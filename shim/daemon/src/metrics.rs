//! Counters for Prometheus, in its text format: those that every server has, and a registry for its own.

use std::fmt;
use std::sync::Mutex;
use std::time::Instant;

use axum::extract::Request;
use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::answers;

/// How a request was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// The route's pattern, never the path: what is in there would make endless series.
    route: String,
    method: String,
    status: u16,
}

/// What every server counts.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Answered, Counter>,
    seconds: Histogram,
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

/// A request that isn't answered yet.
#[derive(Debug)]
pub struct Asked {
    began: Instant,
    route: String,
    method: &'static str,
    path: String,
}

impl Metrics {
    /// All at zero, with a prefix to each name, in a registry that has a server's own already.
    pub fn new(mut registry: Registry) -> Self {
        let all = &mut registry;
        let seconds = Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0]);
        Self {
            requests: registered(
                all,
                "requests",
                "Requests by route and status",
                Family::default(),
            ),
            seconds: registered(
                all,
                "request_seconds",
                "Time until a request's answer began",
                seconds,
            ),
            connections: registered(all, "connections", "Open connections", Gauge::default()),
            refused_connections: registered(
                all,
                "refused_connections",
                "Connections turned away because there were too many",
                Counter::default(),
            ),
            registry: Mutex::new(registry),
        }
    }

    /// Counts a request, and tells the log of it.
    pub fn answered(&self, asked: Asked, status: StatusCode) {
        let seconds = asked.began.elapsed().as_secs_f64();
        let status = status.as_u16();
        tracing::debug!(
            method = asked.method,
            path = asked.path,
            status,
            seconds,
            "answered"
        );
        self.requests
            .get_or_create(&Answered {
                route: asked.route,
                method: asked.method.to_owned(),
                status,
            })
            .inc();
        self.seconds.observe(seconds);
    }

    /// All that is registered, as text.
    pub fn text(&self) -> String {
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

impl Asked {
    /// Begins now.
    pub fn of(request: &Request) -> Self {
        Self {
            began: Instant::now(),
            route: answers::route_of(request),
            method: answers::method_name(request.method()),
            path: request.uri().path().to_owned(),
        }
    }
}

/// A metric that the registry has too.
pub fn registered<M: Metric + Clone>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    metric: M,
) -> M {
    registry.register(name, help, metric.clone());
    metric
}
