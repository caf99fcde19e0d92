//! The command line, and how errors are told.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use runtime::telling;

use crate::commands;

/// An OCI container runtime that keeps the promise of sealed bundles.
#[derive(Debug, Parser)]
#[command(name = "opt-runtime", version, disable_help_subcommand = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Directory for the state of containers [default: /run/opt-runtime, or one of your own]
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// File to which errors are appended, besides standard error
    #[arg(long, global = true, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Format of the log file
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Format of the log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text.
    Text,
    /// One JSON object a line, as podman and containerd read it.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a container; its command waits for `start`
    Create(commands::create::Arguments),
    /// Let a created container execute its command
    Start(commands::start::Arguments),
    /// Print a container's state as JSON
    State(commands::state::Arguments),
    /// Send a signal to a container
    Kill(commands::kill::Arguments),
    /// Delete a container
    Delete(commands::delete::Arguments),
    /// Create, start, wait and delete
    Run(commands::run::Arguments),
    /// Make a bundle and stop there
    Bundle(commands::bundle::Arguments),
    /// Check a bundle against the promise; exit code 1 when a protection is broken
    Check(commands::check::Arguments),
    /// Show what a bundle exposes, and why
    Explain(commands::explain::Arguments),
}

impl Global {
    /// Tells an error: one line on standard error, and one in the log file if there is one.
    pub fn report(&self, error: &anyhow::Error) {
        let text = telling::line(error.as_ref());
        telling::say(&format!("opt-runtime: {text}\n"));
        let Some(path) = &self.log else {
            return;
        };
        let line = match self.log_format {
            LogFormat::Text => format!("error: {text}\n"),
            LogFormat::Json => format!(
                "{}\n",
                serde_json::json!({
                    "level": "error",
                    "msg": text,
                    "time": chrono::Utc::now().to_rfc3339(),
                })
            ),
        };
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut log| log.write_all(line.as_bytes()));
        if let Err(error) = written {
            let path = path.display();
            telling::say(&format!("opt-runtime: write log {path}: {error}\n"));
        }
    }
}
