//! `check`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bundles::promise::{self, Kind, Report};
use runtime::container::Bundle;
use runtime::telling;

/// Arguments of `check` and `explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The bundle's directory
    pub bundle: PathBuf,
}

/// Checks a bundle against the promise that it makes, or against the general one if it makes none.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let bundle = Bundle::load(&arguments.bundle)?;
    let report = promise::check(&bundle.spec, bundle.kind.unwrap_or(Kind::Sealed));
    let text = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&report)?)
    } else {
        table(&report, bundle.kind.is_some())?
    };
    telling::print(&text)?;
    Ok(ExitCode::from(u8::from(!report.is_kept())))
}

fn table(report: &Report, promised: bool) -> Result<String> {
    let says = if promised {
        "promises it"
    } else {
        "promises nothing: it would run as OCI says"
    };
    let mut text = format!("promise {}: the bundle {says}\n", report.kind);
    for row in &report.rows {
        let verdict = if row.broken.is_empty() {
            "kept"
        } else {
            "BROKEN"
        };
        write!(text, "  {:<18} {verdict}", row.protection)?;
        match row.exceptions.join(", ") {
            none if none.is_empty() => writeln!(text)?,
            exceptions => writeln!(text, ", with exceptions: {exceptions}")?,
        }
        for finding in &row.broken {
            writeln!(text, "      {finding}")?;
        }
        if !row.broken.is_empty() {
            writeln!(text, "      rule: {}", row.reason)?;
        }
    }
    Ok(text)
}
