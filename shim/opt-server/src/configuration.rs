//! Finding and reading `config.json`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bundles::opt_server::config::Config;

const FILE_NAME: &str = "config.json";

/// Reads the file given, else `config.json` here, else the one beside this executable, as PIFOP's does.
/// What was ignored in it is told on standard error.
pub fn load(given: Option<&Path>) -> Result<Config> {
    let path = match given {
        Some(path) => path.to_path_buf(),
        None => find()?,
    };
    let config = Config::load(&path)?;
    for warning in &config.warnings {
        eprintln!("opt-server: warning: {warning}");
    }
    Ok(config)
}

fn find() -> Result<PathBuf> {
    let here = PathBuf::from(FILE_NAME);
    if here.exists() {
        return Ok(here);
    }
    let executable = std::env::current_exe().context("find this executable")?;
    let beside = executable.with_file_name(FILE_NAME);
    if !beside.exists() {
        bail!(
            "no {FILE_NAME} here nor at {}; hint: name one with --config",
            beside.display()
        );
    }
    Ok(beside)
}
