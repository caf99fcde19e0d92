//! `run`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result};
use bundles::elf::Resolver;
use bundles::opt_server::Sandbox;
use bundles::opt_server::config::Limits;
use bundles::promise::{Kind, explain};
use runtime::container::{Execution, Store};
use runtime::{own_executable, telling};

use crate::command_line::CommandLine;
use crate::configuration::Configuration;
use crate::execution::{
    self, Begun, GroupFlag, LimitFlags, Report, ReportFile, sandboxed, start_once,
};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Directory for the state of containers [default: opt-runtime's]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Show what the sandbox exposes, and why, before the command runs
    #[arg(long)]
    sandbox_info: bool,
    /// Write a report on the execution when it has ended: JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// In the report, tell a command that fails what it looked for in vain; opening files takes longer then
    #[arg(long, requires = "report")]
    explain_failures: bool,
    /// The execution's id in the report [default: one is made up]
    #[arg(long, value_name = "ID")]
    execution_id: Option<String>,
    /// The link with which a server's execution begins: nothing is done where it is there
    #[arg(long, value_name = "LINK", hide = true)]
    begin: Option<PathBuf>,
    #[command(flatten)]
    group: GroupFlag,
    #[command(flatten)]
    line: CommandLine,
    // Last: what follows would stand under its heading.
    #[command(flatten)]
    limits: LimitFlags,
}

/// Runs one command line and exits with its command's code.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    own_executable::protect().context("protect this executable")?;
    if let Some(link) = &arguments.begin
        && !start_once::take(link, start_once::By::Process).context("begin the execution")?
    {
        // It is another process's, and its files are.
        return Ok(ExitCode::from(telling::OURS));
    }
    let file = arguments
        .report
        .as_deref()
        .map(ReportFile::open)
        .transpose()?;
    let mut begun = Begun {
        id: arguments.execution_id.clone().unwrap_or_default(),
        command: arguments.line.name.clone(),
        arguments: arguments.line.arguments.clone(),
        limits: Limits::default(),
        called: SystemTime::now(),
    };
    let ended = run(arguments, &mut begun, file.as_ref()).map(|execution| (execution, false));
    execution::conclude(begun, file, ended)
}

/// Runs it to its end, and completes what is known of it.
fn run(arguments: &Arguments, begun: &mut Begun, file: Option<&ReportFile>) -> Result<Execution> {
    begun.limits = arguments.limits.limits()?;
    let config = arguments.configuration.load()?;
    begun.limits = begun.limits.narrowed(&arguments.group.limits(&config)?);
    let claimed = execution::claim(&arguments.line.project, config.extensions.identity)?;
    let request = arguments
        .line
        .request(&config, claimed.identity, begun.limits)?;
    let command = request.command;
    begun.limits = Limits {
        // A server's to hold to: this is one execution.
        max_parallel_processes: None,
        ..request.limits()
    };
    let resolver = Resolver::host().context("read this host's library configuration")?;
    let sandbox = Sandbox::plan(request, &resolver)?;
    if arguments.sandbox_info {
        // The lines before it are the mounts.
        let explanation = explain(&sandbox.spec(), Some(Kind::OptServer), vec![]).without_mounts();
        telling::say(&format!("{}\n{explanation}\n", sandbox.info()));
    }
    let is_terminal = std::io::stdout().is_terminal();
    let is_reported = arguments.report.is_some();
    let mut bounds = execution::bounds(command, &begun.limits, is_reported, is_terminal);
    bounds.observes = arguments.explain_failures;
    let store = Store::at(arguments.root.clone());
    let for_killed = begun.clone();
    let named = |id: &str| {
        if begun.id.is_empty() {
            id.clone_into(&mut begun.id);
        }
    };
    let when_killed = |id: &str| {
        if let Some(file) = file {
            // There is nobody to tell that it can't be written.
            let _ = file.write(&Report::killed(for_killed, id));
        }
    };
    let identity = claimed.identity;
    let ended = sandboxed::run(&store, &sandbox, identity, &bounds, named, when_killed);
    Ok(ended?)
}
