//! `shifterimg lookup`: what `shifter` itself asks, so standard output is the identifier and nothing else.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::gateway::Gateways;
use crate::site::{Options, Site, path, shown};

pub fn execute(options: &Options, image: &str) -> Result<ExitCode> {
    println!("{}", identifier(options, image)?);
    Ok(ExitCode::SUCCESS)
}

/// The identifier of an image.
pub(super) fn identifier(options: &Options, image: &str) -> Result<String> {
    let site = Site::read(options)?;
    let image = site.image(image)?;
    let gateways = Gateways::of(&site, options)?;
    let target = format!("/api/lookup/{}/{}/", site.system, path(&image));
    let record = gateways
        .ask("GET", &target, None)
        .with_context(|| format!("look up {}", shown(&image)))?;
    match record["id"].as_str() {
        Some(id) if record["status"] == "READY" => Ok(id.to_owned()),
        _ => bail!("{}: the gateway has none that is ready", shown(&image)),
    }
}
