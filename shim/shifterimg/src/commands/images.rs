//! `shifterimg images`

use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;

use crate::gateway::Gateways;
use crate::site::{Options, Site};
use crate::table;

pub fn execute(options: &Options, as_json: bool) -> Result<ExitCode> {
    let site = Site::read(options)?;
    let gateways = Gateways::of(&site, options)?;
    let answer = gateways.ask("GET", &format!("/api/list/{}/", site.system), None)?;
    if as_json {
        println!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let list = answer["list"].as_array().map_or(&[][..], Vec::as_slice);
    let list: &[Value] = list;
    for line in table::images(list) {
        println!("{}", line.trim_end());
    }
    Ok(ExitCode::SUCCESS)
}
