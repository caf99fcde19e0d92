//! The main way: `shifter --image=… COMMAND`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::telling;

use crate::container::{self, Options};
use crate::inherited::Inherited;

/// Arguments of the main way.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print the bundle's config.json and run nothing
    #[arg(long)]
    pub dry_run: bool,
    // Last: the command takes what follows.
    #[command(flatten)]
    pub options: Options,
}

/// Runs the command and gives its exit code.
pub fn execute(arguments: &Arguments, inherited: Inherited) -> Result<ExitCode> {
    if !arguments.dry_run {
        return container::run(&arguments.options, inherited);
    }
    let text = container::look_at(&arguments.options, |bundle| {
        // In the order of config.json, where everything is sorted.
        let spec = serde_json::to_value(&bundle.spec)?;
        Ok(format!("{}\n", serde_json::to_string_pretty(&spec)?))
    })?;
    telling::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
