//! `events`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use runtime::container::{self, Event, Stats};
use runtime::telling;
use serde::Serialize;

use crate::global::Global;

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print what the container uses now, and end
    #[arg(long)]
    pub stats: bool,
    /// Time between two lines, such as 500ms or 1m30s
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    pub interval: Duration,
    /// The container's id
    pub id: String,
}

/// One line, in runc's order.
#[derive(Debug, Serialize)]
struct Line<'a> {
    r#type: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Stats>,
}

impl<'a> Line<'a> {
    fn used(id: &'a str, stats: &'a Stats) -> Self {
        Self {
            r#type: "stats",
            id,
            data: Some(stats),
        }
    }
}

/// Prints lines of JSON as runc does: what the container uses, and that it wanted more memory.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    let container = global.store().look(&arguments.id)?;
    let id = &container.id;
    let print = |line: Line<'_>| -> Result<()> {
        Ok(telling::print(&(serde_json::to_string(&line)? + "\n"))?)
    };
    if arguments.stats {
        print(Line::used(id, &container::stats(&container)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    container::events(&container, arguments.interval, |event| match event {
        Event::Stats(stats) => print(Line::used(id, &stats)),
        Event::OutOfMemory => print(Line {
            r#type: "oom",
            id,
            data: None,
        }),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A time in Go's form, numbers with units: `1h30m`, `1.5s`, `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is no time above zero, such as 5s, 500ms or 1m30s");
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
        let end = rest.find(|letter| !is_number(letter)).ok_or_else(wrong)?;
        let (number, behind) = rest.split_at(end);
        let end = behind.find(is_number).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let unit = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(wrong()),
        };
        let seconds = number.parse::<f64>().map_err(|_| wrong())? * unit;
        total += Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
        rest = behind;
    }
    if total.is_zero() {
        Err(wrong())
    } else {
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_reads_them() {
        for (text, milliseconds) in [
            ("5s", 5000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1.5s", 1500),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                duration(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in ["", "0s", "5", "-1s", "s", "5 s", "1d", "1..5s", "ms"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
