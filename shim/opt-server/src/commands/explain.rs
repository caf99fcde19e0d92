//! `explain`: what a command's sandbox would show, without running anything.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bundles::elf::Resolver;
use bundles::exposure::Bounds;
use bundles::opt_server::config::{Config, Limits, MountDependencies};
use bundles::opt_server::{Identity, Sandbox};
use bundles::promise::{Kind, explain};
use clap::ValueEnum;
use nix::unistd::{getegid, geteuid};
use runtime::telling;
use serde_json::json;

use crate::command_line::CommandLine;
use crate::configuration::Configuration;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Show what this "mount-dependencies" would change, and what the command would lose
    #[arg(long, value_name = "MODE")]
    diff: Option<Mode>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    line: CommandLine,
}

/// As `mount-dependencies` spells it.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Mode {
    Directories,
    Files,
}

impl From<Mode> for MountDependencies {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Directories => Self::Directories,
            Mode::Files => Self::Files,
        }
    }
}

/// Prints the explanation, or the difference.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.configuration.load()?;
    let line = &arguments.line;
    let request = line.request(
        &config,
        identity(&config, &line.project)?,
        Limits::default(),
    )?;
    let resolver = Resolver::host().context("read this host's library configuration")?;
    let sandbox = Sandbox::plan(request, &resolver)?;
    let text = match arguments.diff {
        Some(mode) => {
            let difference = sandbox.difference(mode.into(), &resolver, Bounds::default())?;
            if arguments.json {
                format!("{}\n", serde_json::to_string_pretty(&difference)?)
            } else {
                difference.to_string()
            }
        }
        None => explanation(&sandbox, arguments.json)?,
    };
    telling::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// One to show, which nothing runs with.
fn identity(config: &Config, project: &Path) -> Result<Identity> {
    let caller = (geteuid().as_raw(), getegid().as_raw());
    Identity::to_show(caller, project, config.extensions.identity)
        .with_context(|| format!("project {}", project.display()))
}

fn explanation(sandbox: &Sandbox<'_>, as_json: bool) -> Result<String> {
    let explanation = explain(&sandbox.spec(), Some(Kind::OptServer), vec![]);
    if as_json {
        let explanation = explanation.measured(Bounds::default());
        let text = serde_json::to_string_pretty(&json!({
            "explanation": explanation,
            "notes": sandbox.notes(),
        }))?;
        return Ok(format!("{text}\n"));
    }
    let info = sandbox.info();
    Ok(format!("{info}\n{}", explanation.without_mounts()))
}
