//! Finding and reading `config.json`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use bundles::opt_server::config::{Config, FILE_NAME};
use nix::unistd::geteuid;
use runtime::own_executable;
use runtime::telling;

/// Which configuration, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct Configuration {
    /// The configuration [default: config.json here, else beside this executable]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Refuse a configuration with keys that aren't known
    #[arg(long)]
    strict: bool,
}

impl Configuration {
    /// Reads the file given, else the one that [`Config::locate`] finds, if only root and the caller could have
    /// put it there. What was ignored in it is told on standard error, and refused where `--strict` is given.
    pub fn load(&self) -> Result<Config> {
        let config = self.read()?;
        tell_warnings(&config);
        Ok(config)
    }

    /// Likewise, without telling anything.
    pub fn read(&self) -> Result<Config> {
        let config = match &self.config {
            Some(path) => Config::load(path)?,
            None => found()?,
        };
        if self.strict {
            return Ok(config.strict()?);
        }
        Ok(config)
    }
}

/// Tells on standard error what was ignored in `config`.
pub fn tell_warnings(config: &Config) {
    for warning in &config.warnings {
        telling::say(&format!("opt-server: warning: {warning}\n"));
    }
}

fn found() -> Result<Config> {
    let path = Config::locate(&own_executable::path().context("find this executable")?);
    if !path.exists() {
        bail!(
            "no {FILE_NAME} here nor at {}; hint: name one with --config",
            path.display()
        );
    }
    Ok(Config::load_unnamed(&path, geteuid().as_raw())?)
}
