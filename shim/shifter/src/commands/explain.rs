//! `explain`: what a container would have and why, without running anything.

use std::process::ExitCode;

use anyhow::Result;
use bundles::promise;
use runtime::telling;

use crate::container::{self, Options};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
    // Last: the command takes what follows.
    #[command(flatten)]
    pub options: Options,
}

/// Prints every mount and why it is there, identity, limits, system calls and environment.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let text = container::look_at(&arguments.options, |bundle| {
        let explanation = promise::explain(&bundle.spec, bundle.kind, vec![]);
        Ok(match arguments.json {
            true => format!("{}\n", serde_json::to_string_pretty(&explanation)?),
            false => explanation.to_string(),
        })
    })?;
    telling::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
