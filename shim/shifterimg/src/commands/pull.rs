//! `shifterimg pull` and `pullnb`

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::Local;
use serde_json::Value;

use super::allowed;
use crate::gateway::Gateways;
use crate::registries;
use crate::site::{Options, Site, path, shown};
use crate::table;

/// Between two questions how it stands, as Shifter's client has it.
const BETWEEN: Duration = Duration::from_millis(500);

/// How long a bar is.
const BAR: u64 = 20;

/// The states from which something comes by itself.
const GOING: [&str; 8] = [
    "MISSING",
    "INIT",
    "PENDING",
    "PULLING",
    "HASHING",
    "EXAMINATION",
    "CONVERSION",
    "TRANSFER",
];

pub fn execute(options: &Options, image: &str, waits: bool) -> Result<ExitCode> {
    let site = Site::read(options)?;
    let image = site.image(image)?;
    let gateways = Gateways::of(&site, options)?;
    let passwords = registries::all(&site.system, gateways.prover())?;
    let gateways = gateways.with_registries(passwords);
    let target = format!("/api/pull/{}/{}/", site.system, path(&image));
    let body = allowed(options)?;
    let mut shower = Shower::new(shown(&image));
    loop {
        let record = gateways
            .ask("POST", &target, Some(&body))
            .with_context(|| format!("pull {}", shown(&image)))?;
        let status = record["status"].as_str().unwrap_or("MISSING");
        if !waits || !GOING.contains(&status) {
            return Ok(shower.end(status, &record));
        }
        shower.show(status, &record);
        sleep(BETWEEN);
    }
}

/// Tells how it goes: on one line that changes where somebody looks, else a line for each state.
pub(super) struct Shower {
    image: String,
    last: String,
    is_watched: bool,
}

impl Shower {
    pub(super) fn new(image: String) -> Self {
        Self {
            image,
            last: String::new(),
            is_watched: std::io::stderr().is_terminal(),
        }
    }

    fn line(&self, status: &str) -> String {
        let now = Local::now().format("%Y-%m-%dT%H:%M:%S");
        format!("{now} Pulling Image: {}, status: {status}", self.image)
    }

    pub(super) fn show(&mut self, status: &str, record: &Value) {
        let mut stderr = std::io::stderr();
        // Nobody is told where nobody can be.
        if self.is_watched {
            let line = self.line(status) + &progress(record);
            let _ = write!(stderr, "\r\x1b[K{}", within(columns(), &line));
            let _ = stderr.flush();
        } else if self.last != status {
            let _ = writeln!(stderr, "{}", self.line(status));
        }
        status.clone_into(&mut self.last);
    }

    /// The last line, and the exit code.
    pub(super) fn end(&self, status: &str, record: &Value) -> ExitCode {
        if self.is_watched && !self.last.is_empty() {
            eprintln!();
        }
        println!("{}", self.line(status));
        if status != "FAILURE" {
            return ExitCode::SUCCESS;
        }
        let message = record["status_message"].as_str();
        let message = message.or_else(|| record["message"].as_str());
        let message = message.filter(|message| *message != "MISSING");
        eprintln!(
            "shifterimg: {}: {}",
            self.image,
            message.unwrap_or("the pull failed, and the gateway doesn't say why")
        );
        ExitCode::FAILURE
    }
}

/// How wide the terminal is, where it says so.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { usize::MAX } else { columns }
}

/// As much of a line as a terminal shows without going on below, where it couldn't be written over.
fn within(columns: usize, line: &str) -> String {
    line.chars().take(columns.saturating_sub(1)).collect()
}

/// A bar, where it is known how much there is to do.
fn progress(record: &Value) -> String {
    match (record["done"].as_u64(), record["total"].as_u64()) {
        (Some(done), Some(total)) if total > 0 => {
            let done = done.min(total);
            let of = |whole: u64| u128::from(done) * u128::from(whole) / u128::from(total);
            let bar = "#".repeat(usize::try_from(of(BAR)).unwrap_or(0));
            let width = usize::try_from(BAR).unwrap_or(0);
            format!(
                " [{bar:<width$}] {:>3} % ({} of {})",
                of(100),
                table::bytes(done),
                table::bytes(total)
            )
        }
        (Some(done), _) => format!(" {}", table::bytes(done)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_stays_within_the_terminal() {
        assert_eq!(within(80, "äbc"), "äbc");
        assert_eq!(within(3, "äbc"), "äb");
        assert_eq!(within(0, "äbc"), "");
    }

    #[test]
    fn a_bar_is_as_long_as_what_is_done() {
        for (record, bar) in [
            (
                json!({ "done": 0, "total": 2_000 }),
                " [                    ]   0 % (0 B of 2.0 kB)",
            ),
            (
                json!({ "done": 999, "total": 2_000 }),
                " [#########           ]  49 % (999 B of 2.0 kB)",
            ),
            (
                json!({ "done": 2_000, "total": 2_000 }),
                " [####################] 100 % (2.0 kB of 2.0 kB)",
            ),
            (
                json!({ "done": u64::MAX, "total": 1 }),
                " [####################] 100 % (1 B of 1 B)",
            ),
            (json!({ "done": 5, "total": null }), " 5 B"),
            (json!({ "done": 5, "total": 0 }), " 5 B"),
            (json!({ "status": "PENDING" }), ""),
        ] {
            assert_eq!(progress(&record), bar, "{record}");
        }
    }
}
