//! What a server tells of itself.

/// JSON, a line each, on standard error; from now on.
///
/// # Panics
/// Where it was called before.
pub fn log(most: tracing::Level) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_target(false)
        .with_max_level(most)
        .with_writer(std::io::stderr)
        .init();
}
