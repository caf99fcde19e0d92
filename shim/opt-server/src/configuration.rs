//! Finding and reading `config.json`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use bundles::opt_server::config::{Config, FILE_NAME};
use runtime::own_executable;

/// Reads the file given, else the one that [`Config::locate`] finds. What was ignored in it is told on
/// standard error.
pub fn load(given: Option<&Path>) -> Result<Config> {
    let path = match given {
        Some(path) => path.to_path_buf(),
        None => Config::locate(&own_executable::path().context("find this executable")?),
    };
    if given.is_none() && !path.exists() {
        bail!(
            "no {FILE_NAME} here nor at {}; hint: name one with --config",
            path.display()
        );
    }
    let config = Config::load(&path)?;
    for warning in &config.warnings {
        eprintln!("opt-server: warning: {warning}");
    }
    Ok(config)
}
