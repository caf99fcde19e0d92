//! `restore`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use runtime::container::{self, CONFIG, RestoreOptions};

use super::checkpoint::CriuArguments;
use crate::global::Global;

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    criu: CriuArguments,
    /// The bundle's directory
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,
    /// Return as soon as the container runs
    #[arg(short, long)]
    pub detach: bool,
    /// File in which to write the process's pid
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// For callers of runc: nothing here ever becomes a subreaper
    #[arg(long, hide = true)]
    pub no_subreaper: bool,
    /// For callers of runc: criu always pivots
    #[arg(long, hide = true)]
    pub no_pivot: bool,
    /// The container's id
    pub id: String,
}

/// Makes a container again, and exits with its command's code unless it is detached.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    let (bundle, _) = global.bundle(&arguments.bundle, Path::new(CONFIG))?;
    let options = RestoreOptions {
        criu: arguments.criu.options(global)?,
        detach: arguments.detach,
        pid_file: arguments
            .pid_file
            .as_ref()
            .map(std::path::absolute)
            .transpose()?,
        host: global.host(),
    };
    let outcome = container::restore(&global.store(), &arguments.id, &bundle, &options)?;
    Ok(ExitCode::from(outcome.code))
}
