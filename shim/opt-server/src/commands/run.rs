//! `run`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use bundles::bundle;
use bundles::elf::Resolver;
use bundles::opt_server::config::Limits;
use bundles::opt_server::{Identity, Request, Sandbox};
use bundles::promise::{Kind, exceptions, explain};
use nix::unistd::{getegid, geteuid};
use runtime::container::{self, Bundle, Error, RunOptions, Store};
use runtime::{own_executable, policy, telling};

use crate::configuration;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration [default: config.json here, else beside this executable]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Refuse a configuration with keys that aren't known
    #[arg(long)]
    strict: bool,
    /// The project directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Directory for the state of containers [default: opt-runtime's]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Show what the sandbox exposes, and why, before the command runs
    #[arg(long)]
    sandbox_info: bool,
    /// The command's name in the configuration
    name: String,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs one command line and exits with its command's code.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    own_executable::protect().context("protect this executable")?;
    let config = configuration::load(arguments.config.as_deref(), arguments.strict)?;
    let request = Request {
        config: &config,
        command: config.command(&arguments.name)?,
        arguments: &arguments.arguments,
        project: arguments.project.clone(),
        identity: identity(&arguments.project)?,
        limits: Limits::default(),
    };
    let resolver = Resolver::host().context("read this host's library configuration")?;
    let sandbox = Sandbox::plan(request, &resolver)?;
    if arguments.sandbox_info {
        // The lines before it are the mounts.
        let explanation = explain(&sandbox.spec(), Some(Kind::OptServer), vec![]).without_mounts();
        telling::say(&format!("{}\n{explanation}\n", sandbox.info()));
    }
    let store = Store::at(arguments.root.clone());
    let outcome = container::run(&store, &RunOptions::default(), |id| {
        let directory = store.scratch(id)?;
        bundle::write(&directory, &sandbox.spec(), &sandbox.skeleton()).map_err(|error| {
            Error::Step {
                step: "write the bundle",
                source: std::io::Error::other(error),
            }
        })?;
        let mut bundle = Bundle::load(&directory)?;
        // The configuration's word is the administrator's.
        bundle.granted = exceptions(&bundle.spec).map_err(policy::Error::from)?;
        Ok(bundle)
    })?;
    Ok(ExitCode::from(outcome.code))
}

/// An identity that lasts as long as this process: its pid is its slot.
fn identity(project: &Path) -> Result<Identity> {
    let caller = (geteuid().as_raw(), getegid().as_raw());
    Identity::for_caller(caller, std::process::id(), project)
        .with_context(|| format!("project {}", project.display()))
}
