//! `bundle`: make a bundle and stop there.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use bundles::bundle;
use bundles::elf::Resolver;
use bundles::opt_server::config::{Config, FILE_NAME, Limits};
use bundles::opt_server::{Identity, Request, Sandbox};
use nix::unistd::{getegid, geteuid};
use runtime::telling;

/// The slot of bundles that are kept: no process has pid 0, so no running `opt-server` has it.
const KEPT_SLOT: u32 = 0;

/// Arguments of `bundle`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The system that asks for the bundle
    #[command(subcommand)]
    from: From,
}

/// The system that asks for the bundle.
#[derive(Debug, clap::Subcommand)]
enum From {
    /// One command line of an Opt-Server
    OptServer(OptServer),
}

#[derive(Debug, clap::Args)]
struct OptServer {
    /// The bundle's directory, which must not exist yet
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The Opt-Server's configuration [default: config.json here]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The project directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Which identity of its own the command gets; two bundles that run at once need different ones
    #[arg(long, value_name = "N", default_value_t = KEPT_SLOT)]
    slot: u32,
    /// The command's name in the configuration
    name: String,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Makes the bundle.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let From::OptServer(wanted) = &arguments.from;
    let caller = (geteuid().as_raw(), getegid().as_raw());
    let config = match &wanted.config {
        Some(path) => Config::load(path)?,
        None => Config::load_unnamed(Path::new(FILE_NAME), caller.0)?,
    };
    for warning in &config.warnings {
        telling::say(&format!("opt-runtime: warning: {warning}\n"));
    }
    let request = Request {
        config: &config,
        command: config.command(&wanted.name)?,
        arguments: &wanted.arguments,
        project: wanted.project.clone(),
        identity: Identity::for_caller(caller, wanted.slot, &wanted.project)
            .with_context(|| format!("project {}", wanted.project.display()))?,
        limits: Limits::default(),
    };
    let resolver = Resolver::host().context("read this host's library configuration")?;
    let sandbox = Sandbox::plan(request, &resolver)?;
    bundle::write(&wanted.output, &sandbox.spec(), &sandbox.skeleton())?;
    Ok(ExitCode::SUCCESS)
}
