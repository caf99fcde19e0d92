//! `spec`.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use nix::unistd::{getegid, geteuid};
use runtime::starter;

/// Arguments of `spec`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The bundle's directory
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,
    /// For a container of an ordinary user: this one
    #[arg(long)]
    pub rootless: bool,
}

/// Writes a `config.json` to begin with; one that is there stays as it is.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let ids = (geteuid().as_raw(), getegid().as_raw());
    let spec = starter::spec(arguments.rootless.then_some(ids));
    let text = serde_json::to_string_pretty(&spec)?;
    let path = arguments.bundle.join("config.json");
    match File::create_new(&path) {
        Ok(mut file) => {
            writeln!(file, "{text}").with_context(|| format!("write {}", path.display()))?
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} exists; hint: remove it first", path.display())
        }
        Err(error) => return Err(error).with_context(|| format!("create {}", path.display())),
    }
    Ok(ExitCode::SUCCESS)
}
