//! `check`: whether a configuration works on this host.

use std::process::ExitCode;

use anyhow::{Context, Result};
use bundles::elf::Resolver;
use bundles::opt_server::preflight;
use runtime::telling;

use crate::configuration::Configuration;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Prints a line for each command, and what is wrong with it; 1 where anything is.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.configuration.load()?;
    let resolver = Resolver::host().context("read this host's library configuration")?;
    let checked = preflight::check(&config, &resolver);
    let text = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&checked)?)
    } else {
        let lines = checked.iter().flat_map(|one| {
            let verdict = if one.problems.is_empty() {
                "ok"
            } else {
                "BROKEN"
            };
            let problems = one.problems.iter().map(|problem| format!("  {problem}"));
            let notes = one
                .notes
                .iter()
                .map(|note| format!("  left out of \"dlopen\": {note}"));
            let head = format!("{}: {verdict}", one.command);
            std::iter::once(head)
                .chain(problems)
                .chain(notes)
                .collect::<Vec<_>>()
        });
        lines.map(|line| line + "\n").collect()
    };
    telling::print(&text)?;
    let is_broken = checked.iter().any(|one| !one.problems.is_empty());
    Ok(ExitCode::from(u8::from(is_broken)))
}
