//! The process: from its configuration to its end.

mod metrics;
mod start;
mod unprivileged;

pub use metrics::Metrics;
pub use start::start;
