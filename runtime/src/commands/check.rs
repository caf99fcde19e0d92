//! `check`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bundles::promise::{self, Kind, Report};
use runtime::container::Bundle;

/// Arguments of `check`.
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
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print_table(&report, bundle.kind.is_some());
    }
    Ok(ExitCode::from(u8::from(!report.is_kept())))
}

fn print_table(report: &Report, promised: bool) {
    let says = if promised {
        "promises it"
    } else {
        "promises nothing: it would run as OCI says"
    };
    println!("promise {}: the bundle {says}", report.kind);
    for row in &report.rows {
        let verdict = if row.broken.is_empty() {
            "kept"
        } else {
            "BROKEN"
        };
        println!("  {:<18} {verdict}", row.protection);
        for finding in &row.broken {
            println!("      {finding}");
        }
        if !row.broken.is_empty() {
            println!("      rule: {}", row.reason);
        }
    }
}
