//! `explain`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bundles::bundle::links_of;
use bundles::promise;
use runtime::container::Bundle;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The bundle's directory
    pub bundle: PathBuf,
}

/// Shows every mount and why it is there, identity, limits, system calls and environment.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let bundle = Bundle::load(&arguments.bundle)?;
    let links = links_of(&bundle.rootfs).context("read the root file system's links")?;
    let explanation = promise::explain(&bundle.spec, bundle.kind, links);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&explanation)?);
    } else {
        print!("{explanation}");
    }
    Ok(ExitCode::SUCCESS)
}
