//! `shifterimg expire` and `autoexpire`

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::gateway::Gateways;
use crate::site::{Options, Site, path, shown};

pub fn one(options: &Options, image: &str) -> Result<ExitCode> {
    let site = Site::read(options)?;
    let image = site.image(image)?;
    let gateways = Gateways::of(&site, options)?;
    let target = format!("/api/expire/{}/{}/", site.system, path(&image));
    let answer = gateways.ask("GET", &target, None)?;
    match &answer["status"] {
        Value::Bool(true) => Ok(ExitCode::SUCCESS),
        Value::Bool(false) => {
            bail!("images are expired by administrators; hint: shifterimg delete, if it is yours")
        }
        _ => bail!("{}: the gateway has none", shown(&image)),
    }
}

pub fn overdue(options: &Options) -> Result<ExitCode> {
    let site = Site::read(options)?;
    let gateways = Gateways::of(&site, options)?;
    let answer = gateways.ask("GET", &format!("/api/autoexpire/{}/", site.system), None)?;
    let Some(gone) = answer["status"].as_array() else {
        bail!("images are expired by administrators");
    };
    for id in gone.iter().filter_map(Value::as_str) {
        println!("{id}");
    }
    Ok(ExitCode::SUCCESS)
}
