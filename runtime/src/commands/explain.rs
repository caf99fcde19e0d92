//! `explain`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use bundles::bundle::links_of;
use bundles::exposure::Bounds;
use bundles::promise;
use runtime::container::Bundle;
use runtime::telling;

pub use super::check::Arguments;

/// Shows every mount and why it is there, identity, limits, system calls and environment.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let bundle = Bundle::load(&arguments.bundle)?;
    let links = links_of(&bundle.rootfs).context("read the root file system's links")?;
    let explanation =
        promise::explain(&bundle.spec, bundle.kind, links).measured(Bounds::default());
    let text = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&explanation)?)
    } else {
        explanation.to_string()
    };
    telling::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
