//! `shifterimg delete`

use std::process::ExitCode;

use anyhow::Result;

use super::lookup::identifier;
use crate::gateway::Gateways;
use crate::site::{Options, Site};

pub fn execute(options: &Options, image: &str) -> Result<ExitCode> {
    let id = identifier(options, image)?;
    let site = Site::read(options)?;
    let gateways = Gateways::of(&site, options)?;
    let target = format!("/v2/systems/{}/images/{id}", site.system);
    gateways.ask("DELETE", &target, None)?;
    Ok(ExitCode::SUCCESS)
}
