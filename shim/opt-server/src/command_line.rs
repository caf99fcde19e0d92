//! One command line, as subcommands that are about one take it.

use std::path::PathBuf;

use bundles::opt_server::config::{Config, ConfigError, Limits};
use bundles::opt_server::{Identity, Request};

/// A command's name, its arguments and its project.
#[derive(Debug, clap::Args)]
pub struct CommandLine {
    /// The project directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// The command's name in the configuration
    pub name: String,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

impl CommandLine {
    /// As a request for what `config` has.
    ///
    /// # Errors
    /// Where it has no command of that name.
    pub fn request<'a>(
        &'a self,
        config: &'a Config,
        identity: Identity,
        limits: Limits,
    ) -> Result<Request<'a>, ConfigError> {
        Ok(Request {
            config,
            command: config.command(&self.name)?,
            arguments: &self.arguments,
            project: self.project.clone(),
            identity,
            limits,
        })
    }
}
