//! `shifterimg inspect`

use std::process::ExitCode;

use anyhow::Result;

use crate::gateway::Gateways;
use crate::site::{Options, Site, path};

pub fn execute(options: &Options, image: &str) -> Result<ExitCode> {
    let site = Site::read(options)?;
    let image = site.image(image)?;
    let gateways = Gateways::of(&site, options)?;
    let target = format!("/v2/systems/{}/names/{}", site.system, path(&image));
    println!("{:#}", gateways.ask("GET", &target, None)?);
    Ok(ExitCode::SUCCESS)
}
