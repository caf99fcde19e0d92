//! `create`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use runtime::container::{self, CONFIG};
use runtime::own_executable;

use super::creating::Creating;
use crate::global::Global;

/// Arguments of `create`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The bundle's directory
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,
    /// The file in the bundle to read in place of config.json
    #[arg(short = 'f', long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
    #[command(flatten)]
    pub creating: Creating,
    /// The container's id
    pub id: String,
}

/// Creates a container and leaves it waiting for `start`.
pub fn execute(global: &Global, arguments: Arguments) -> Result<ExitCode> {
    own_executable::protect().context("protect the runtime's own executable")?;
    let (bundle, changes) = global.bundle(&arguments.bundle, &arguments.config)?;
    let options = arguments.creating.options(global, false);
    container::create(&global.store(), &arguments.id, &bundle, &options)?;
    global.note_changes(&changes);
    Ok(ExitCode::SUCCESS)
}
