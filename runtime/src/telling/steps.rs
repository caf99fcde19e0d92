//! The steps of a command, for `--debug`: what [`tracing`]'s macros are given, written to the log.
//!
//! libcontainer's events come here too. It logs errors and returns them as well, so none of its events counts
//! for more than a step: the one error of a command is the one that it ends with.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::log::{Log, LogLevel};
use super::say;

/// The process whose steps are logged. What it forks becomes a container's first process, for which the log's
/// path means something else.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Logs this process's steps from now on, where `level` asks for any.
pub fn log_steps(log: &Log, level: LogLevel) {
    if level == LogLevel::Error {
        return;
    }
    follow_this_process();
    let steps = Steps {
        log: log.clone(),
        level,
    };
    // Only the first call in a process has an effect, and there is one.
    let _ = tracing::subscriber::set_global_default(steps);
}

/// Goes on in this process, which was forked from the one whose steps were logged so far.
pub(crate) fn follow_this_process() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
}

struct Steps {
    log: Log,
    level: LogLevel,
}

impl Steps {
    fn level_of(metadata: &Metadata<'_>) -> LogLevel {
        let is_ours = metadata.target().starts_with("runtime");
        match *metadata.level() {
            Level::WARN if is_ours => LogLevel::Warning,
            Level::INFO if is_ours => LogLevel::Info,
            _ => LogLevel::Debug,
        }
    }
}

impl Subscriber for Steps {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && Self::level_of(metadata) <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        if std::process::id() != PROCESS.load(Ordering::Relaxed) {
            return;
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        let level = Self::level_of(event.metadata());
        if !self.log.has_file() {
            say(&self.log.line(level, &text.0));
        } else if let Err(error) = self.log.write(level, &text.0) {
            say(&format!("opt-runtime: error: write log: {error}\n"));
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// An event's message, then its fields as `name=value`.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let space = if self.0.is_empty() { "" } else { " " };
        // Writing to a string doesn't fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{space}{value:?}"),
            name => write!(self.0, "{space}{name}={value:?}"),
        };
    }
}
