//! Counters for Prometheus, in its text format.

use daemon::metrics::registered;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::pull::LayerCount;
use crate::state::Status;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Layers {
    from: &'static str,
}

/// Every counter.
#[derive(Debug)]
pub struct Metrics {
    /// Those of every server.
    pub common: daemon::metrics::Metrics,
    ended: Family<Ended, Counter>,
    layers: Family<Layers, Counter>,
    waiting: Gauge,
    images: Gauge,
    bytes: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("shifter_imagegw");
        let all = &mut registry;
        let none = Gauge::default;
        Self {
            ended: registered(
                all,
                "pulls_ended",
                "Pulls, imports and removals that ended, by how",
                Family::default(),
            ),
            layers: registered(
                all,
                "layers",
                "Layers of images that were made, by whether they came from the source or from an earlier image",
                Family::default(),
            ),
            waiting: registered(
                all,
                "pulls_waiting",
                "Pulls and removals that no worker has begun",
                none(),
            ),
            images: registered(all, "images", "Images that are ready", none()),
            bytes: registered(
                all,
                "image_bytes",
                "Bytes of the files of images that are ready",
                none(),
            ),
            common: daemon::metrics::Metrics::new(registry),
        }
    }
}

impl Metrics {
    /// Counts a pull, an import or a removal that ended so.
    pub fn ended(&self, status: Status) {
        let label = Ended {
            status: status.as_str().to_owned(),
        };
        self.ended.get_or_create(&label).inc();
    }

    /// Counts the layers of an image that was made.
    pub fn made(&self, layers: LayerCount) {
        let count = |from, count: usize| {
            let counter = self.layers.get_or_create(&Layers { from });
            counter.inc_by(u64::try_from(count).unwrap_or(0));
        };
        count("earlier", layers.taken_over);
        count("source", layers.all - layers.taken_over);
    }

    /// All of it as text: `waiting` jobs wait, and so many images hold so many bytes.
    pub fn text(&self, waiting: usize, images: usize, bytes: u64) -> String {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.images.set(i64::try_from(images).unwrap_or(i64::MAX));
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.common.text()
    }
}
